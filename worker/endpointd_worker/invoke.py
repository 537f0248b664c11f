"""Runs one request: calls the plugin's class and sends the answer, from the message to the end of the stream.

All exceptions of the plugin are handled here. An `HTTPException` becomes the answer; any other is logged with its
traceback and becomes a `Failed` message.
"""

import traceback
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Request as WerkzeugRequest
from werkzeug.wrappers import Response as WerkzeugResponse

from endpointd_wire.frames import unpack_value
from endpointd_wire.messages import Request
from endpointd_worker.answer import BadAnswer, send_answer
from endpointd_worker.calls import here
from endpointd_worker.environ import build_request
from endpointd_worker.logs import own_log, request_id
from endpointd_worker.streams import Cancelled, GivenUp, Stream
from endpointd_worker.texts import MAX_TEXT, fit
from endpointd_worker.tracebacks import cut


class Invoker:
    """Runs streams, each to its end, on the calling thread.

    `classes` has one class for each of `Load.sources`, in that order. `open_session` makes the session that an Endpoint
    is constructed with, given the ids of the request and of the endpoint.
    """

    def __init__(
        self,
        classes: list[type],
        open_session: Callable[[str, str], object],
        *,
        development: bool,
        value_error_is_404: bool = False,
    ) -> None:
        self._classes: list[Callable[[object], Any]] = [*classes]
        self._open_session = open_session
        self._development = development
        self._value_error_is_404 = value_error_is_404

    def run(self, stream: Stream) -> None:
        """Answer `stream`. Never raises."""
        if stream.cancelled is not None:
            # Cancelled before it was started.
            stream.close()
            return
        token = request_id.set(stream.request.request_id)
        here.stream = stream
        try:
            request = build_request(stream)
            try:
                self._answer(stream, request)
            finally:
                request.close()
            stream.close()
        # Including SystemExit and KeyboardInterrupt, which would end the thread and leave the request unanswered.
        except BaseException as error:  # noqa: BLE001
            self.give_up(stream, error)
        finally:
            here.stream = None
            request_id.reset(token)

    def give_up(self, stream: Stream, error: BaseException) -> None:
        """End `stream`, whose answer has failed with `error`, and write the reason to the plugin's log."""
        if isinstance(error, Cancelled | GivenUp):
            stream.close()
        elif isinstance(error, BadAnswer):
            own_log.error("%s %s: %s", stream.request.method, _path(stream), error)
            stream.fail("bad_answer", fit(str(error), MAX_TEXT) if self._development else "")
        else:
            error = cut(error)
            own_log.error("%s %s failed", stream.request.method, _path(stream), exc_info=error)
            text = "".join(traceback.format_exception(error)) if self._development else ""
            stream.fail("exception", fit(text, MAX_TEXT))

    def _answer(self, stream: Stream, request: WerkzeugRequest) -> None:
        message = stream.request
        try:
            response = self._invoke(message, request)
            send_answer(stream, response, request.environ)
        except HTTPException as error:
            # `ClientDisconnected` is an HTTPException too. If the client has gone, this raises `Cancelled`: nobody
            # would read the answer, and the plugin has not failed.
            stream.check()
            if not stream.take_back():
                raise
            send_answer(stream, error.get_response(request.environ), request.environ)

    def _invoke(self, message: Request, request: WerkzeugRequest) -> object:
        try:
            return self.call(message, request)
        except ValueError as error:
            return self.not_found(message, request, error)

    def call(self, message: Request, request: WerkzeugRequest) -> Any:  # noqa: ANN401 - whatever the plugin returns
        """Make an object of the plugin's class, and call it. Returns a coroutine if its `_invoke` is async."""
        session = self._open_session(message.request_id, message.script.rpartition("/")[2])
        endpoint = self._classes[message.source](session)
        return endpoint.invoke(request, message.values, unpack_value(message.settings))

    def not_found(self, message: Request, request: WerkzeugRequest, error: ValueError) -> WerkzeugResponse:
        """The 404 for a ValueError that the plugin has raised, with its text; raises `error` again unless
        `value_error_is_404`."""
        if not self._value_error_is_404:
            raise error
        own_log.info("%s %s: 404 for %s: %s", message.method, request.path, type(error).__name__, error)
        return WerkzeugResponse(str(error), HTTPStatus.NOT_FOUND)


def _path(stream: Stream) -> str:
    return stream.request.path.decode("latin-1")
