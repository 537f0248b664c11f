"""One request through the plugin's class, from the message to the end of its stream.

A plugin's exception is this file's business and nobody else's: it is logged here with its traceback, and becomes either
an answer (`HTTPException`) or a `Failed`.
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
    """Runs streams, each to its end, on the thread that calls.

    `classes` are those of `Load.sources`, in that order; `open_session` makes, of the ids of a request and of its
    endpoint, what an Endpoint is constructed with.
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
            # Nobody has wanted an answer since before its turn came.
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
        # SystemExit and KeyboardInterrupt as well: in a thread they would end the thread and answer nothing.
        except BaseException as error:  # noqa: BLE001
            self.give_up(stream, error)
        finally:
            here.stream = None
            request_id.reset(token)

    def give_up(self, stream: Stream, error: BaseException) -> None:
        """End `stream`, whose answer came to an end with `error`; tell the plugin's log why."""
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
            # A body that breaks off is one: when its client has gone there is nobody to tell, and nothing has failed.
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
        """Call the plugin's class."""
        session = self._open_session(message.request_id, message.script.rpartition("/")[2])
        endpoint = self._classes[message.source](session)
        return endpoint.invoke(request, message.values, unpack_value(message.settings))

    def not_found(self, message: Request, request: WerkzeugRequest, error: ValueError) -> WerkzeugResponse:
        """The answer to a request of which the plugin thinks that it has a wrong value. Raises `error` where that is
        none."""
        if not self._value_error_is_404:
            raise error
        own_log.info("%s %s: 404 for %s: %s", message.method, request.path, type(error).__name__, error)
        return WerkzeugResponse(str(error), HTTPStatus.NOT_FOUND)


def _path(stream: Stream) -> str:
    return stream.request.path.decode("latin-1")
