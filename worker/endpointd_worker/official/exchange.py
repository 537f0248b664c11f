"""Where a session of Dify's SDK writes its calls, and reads the replies.

The SDK writes a call as one line, and then reads events with a filter that accepts those of this call. Here the call is
only made when its reply is read, in the thread that reads it, because that is the thread which waits.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

from endpointd_worker.calls import CallRefused
from endpointd_worker.logs import own_log
from endpointd_worker.official.translation import WireCall, from_wire, to_wire

MakeEvent = Callable[[str, dict[str, Any]], Any]
"""Makes an event of the SDK's own class from the id of a session and the event's data."""


class Caller(Protocol):
    """Makes a call to the host (`CallDesk.call`)."""

    def __call__(self, kind: str, arguments: Mapping[str, object], body: bytes = b"") -> Iterator[Any]: ...


class Exchange:
    """The calls of one session: keeps those that were written until their replies are read."""

    def __init__(self, session_id: str, call: Caller, make_event: MakeEvent) -> None:
        self._session_id = session_id
        self._call = call
        self._make_event = make_event
        self._written: dict[str, WireCall] = {}

    def write(self, text: str) -> None:
        """Take one line of the SDK's protocol. Raises ValueError if it is not valid."""
        if not text.strip():
            return
        message = json.loads(text)
        data = message.get("data") or {}
        if message.get("event") == "session" and data.get("type") == "invoke":
            asked = data["data"]
            self._written[asked["backwards_request_id"]] = to_wire(asked["type"], asked["request"])
        elif message.get("event") == "log":
            own_log.info("%s", data.get("message"))
        else:
            own_log.warning("the plugin wrote %s by hand to its session, which nobody reads here", text[:200])

    def read(self, passes: Callable[[Any], bool]) -> "Replies":
        """The events of the written call that the filter `passes` accepts; none if it accepts no call."""
        for number in self._written:
            if passes(self._event(number, "end")):
                call = self._written.pop(number)
                return Replies(passes, self._events(number, call))
        return Replies(passes, iter(()))

    def _events(self, number: str, call: WireCall) -> Iterator[Any]:
        try:
            for item in from_wire(call, self._call(*call)):
                yield self._event(number, "response", item)
        except CallRefused as error:
            yield self._event(number, "error", None, str(error))
            return
        yield self._event(number, "end")

    def _event(self, number: str, event: str, data: object = None, message: str = "") -> Any:  # noqa: ANN401 - the SDK's
        body = {"backwards_request_id": number, "event": event, "message": message, "data": data}
        return self._make_event(self._session_id, body)


class Replies:
    """The SDK's `FilterReader`, for the events of one call. Closing it ends the call."""

    def __init__(self, passes: Callable[[Any], bool], events: Iterator[Any]) -> None:
        self.filter = passes
        self._events = events

    def read(self, timeout_for_round: float | None = None) -> Iterator[Any]:  # noqa: ARG002 - as there
        """Each event as it comes. The timeout is ignored; calls have one of their own (`places.PATIENCE`)."""
        return self._events

    def close(self) -> None:
        close = getattr(self._events, "close", None)
        if close is not None:
            close()

    def __enter__(self) -> "Replies":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
