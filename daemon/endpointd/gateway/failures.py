"""The failures of an answer, and the problems with which the client is told of them."""

from endpointd.channel.exchange import Answer, ClockRanOut, ExchangeError, WorkerGone
from endpointd.gateway.problems import Problem, retry_after
from endpointd.supervisor.admission import NoPlace
from endpointd_wire.messages import Failed


class BodyTooLarge(ExchangeError):
    """The request's body is larger than `limit_body`."""


class BrokenAnswer(Exception):
    """The plugin gave no answer that can be sent. `detail` is for the client, and reveals no internals of the
    plugin."""

    def __init__(self, code: str, detail: str, extra: dict[str, str] | None = None) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.extra = extra or {}


_DETAILS = {
    "exception": ("plugin_exception", "the plugin failed to answer; its log says why"),
    "bad_answer": ("bad_answer", "the plugin answered with something that cannot be sent; its log says what"),
}


def broken(message: Answer) -> BrokenAnswer:
    if isinstance(message, Failed):
        code, detail = _DETAILS.get(message.code, ("plugin_failed", "the plugin failed to answer"))
        return BrokenAnswer(code, detail, {"traceback": message.detail} if message.detail else None)
    return BrokenAnswer("bad_answer", "the plugin ended the request without an answer")


def body_too_large(limit: int, plugin: str | None) -> Problem:
    return Problem(413, "limit_body", f"the request's body is larger than {limit} bytes (limit_body)", plugin)


def no_place(error: NoPlace, plugin: str) -> Problem:
    status = 504 if error.code == "clock_queue" else 503
    return Problem(status, error.code, error.message, plugin, retry_after(error.retry_after))


def problem_of(error: Exception, plugin: str, body: int, client_idle: float) -> Problem:
    """The problem for a failure before anything of the answer was sent. `body` and `client_idle` are the limits in
    bytes and seconds."""
    if isinstance(error, BrokenAnswer):
        return Problem(500, error.code, error.detail, plugin, extra=error.extra)
    if isinstance(error, WorkerGone):
        detail = f"the plugin's worker went away before it answered: {error}"
        return Problem(502, "worker_gone", detail, plugin)
    if isinstance(error, BodyTooLarge):
        return body_too_large(body, plugin)
    assert isinstance(error, ClockRanOut)
    if error.clock == "clock_client_idle":
        return Problem(408, error.clock, f"no more of the body came in {client_idle:g} s", plugin)
    return Problem(504, error.clock, f"the plugin did not answer in time ({error.clock})", plugin)
