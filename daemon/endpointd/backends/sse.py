"""Parses server-sent events as the HTML standard defines them. Only the fields `data` and `event` are used. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

MAX_EVENT = 30 * 1024 * 1024
"""The most bytes of an event: as many as a chunk of Dify's inner API may have (`framing.MAX_PAYLOAD`)."""


class EventTooLarge(Exception):
    """An event has more than `MAX_EVENT` bytes."""


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """`name` is empty for an event without one. Several lines of `data` are joined by line feeds."""

    name: str
    data: bytes


class EventReader:
    """Bytes in, events out. An event that is incomplete when the stream ends is dropped, as the standard says."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._seen = 0
        """The number of bytes at the start of `_held` that were searched and have no line end."""
        self._name = ""
        self._data: list[bytes] = []
        self._size = 0
        self._after_return = False

    def receive(self, data: bytes) -> Iterator[ServerEvent]:
        """Take `data`; yields the events that are now complete. Raises `EventTooLarge`, after which the reader must not
        be used any more."""
        if self._after_return and data:
            # The last piece ended with "\r"; a "\n" now belongs to the same line end.
            data = data.removeprefix(b"\n") if data[:1] == b"\n" else data
            self._after_return = False
        self._held += data
        for line in self._lines():
            event = self._take(line)
            if event is not None:
                yield event
        if self._size + len(self._held) > MAX_EVENT:
            raise EventTooLarge

    @property
    def is_within_event(self) -> bool:
        """Whether a part of an incomplete event has come."""
        return bool(self._held or self._data or self._name)

    def _lines(self) -> Iterator[bytes]:
        held = self._held
        begin = 0
        while True:
            ends = [at for at in (held.find(b"\n", self._seen), held.find(b"\r", self._seen)) if at >= 0]
            if not ends:
                break
            end = min(ends)
            line = bytes(held[begin:end])
            begin = end + 1
            if held[end : end + 1] == b"\r":
                if held[begin : begin + 1] == b"\n":
                    begin += 1
                elif begin == len(held):
                    self._after_return = True
            self._seen = begin
            yield line
        del held[:begin]
        self._seen = len(held)

    def _take(self, line: bytes) -> ServerEvent | None:
        if not line:
            event = ServerEvent(self._name, b"\n".join(self._data)) if self._data or self._name else None
            self._name, self._data, self._size = "", [], 0
            return event
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            self._data.append(value)
            # 64 more, because even an empty line takes memory.
            self._size += len(value) + 64
            if self._size > MAX_EVENT:
                raise EventTooLarge
        elif field == b"event":
            self._name = value.decode(errors="replace")
        return None
