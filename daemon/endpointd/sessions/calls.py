"""The host's side of a worker's session calls. Each call is a task, which ends with the call.

Credit bounds the data in memory: arguments are consumed when the answering code asks for them, and a reply waits until
the plugin has consumed enough of what was sent before.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any, Protocol, TypeAlias

import structlog

from endpointd.sessions.errors import CallRefused
from endpointd_wire.calls import cost
from endpointd_wire.connection import Connection
from endpointd_wire.flow import CREDIT_STEP
from endpointd_wire.frames import MAX_PIECE, pack_value, unpack_value
from endpointd_wire.messages import (
    Abandon,
    Answered,
    Argument,
    Call,
    CallCredit,
    CallMessage,
    End,
    Message,
    Refused,
    Reply,
)

MAX_ARGUMENTS = 16 * 1024 * 1024
"""The most bytes of a call's arguments; a prompt may contain pictures."""

LARGE = 64 * 1024
"""Arguments of more bytes are decoded in a thread, because that takes noticeable time."""

MAX_TEXT = 4000
"""The most characters of a refusal's text."""

log = structlog.get_logger()

Serve: TypeAlias = Callable[["SessionCall"], Awaitable[None]]
"""Answers a call, or raises `CallRefused`."""


class Wire(Protocol):
    """The part of `Channel` that calls use."""

    connection: Connection

    def send(self, message: Message) -> None: ...

    def trace_of(self, stream: int) -> object: ...


class SessionCall:
    """One call. The answering code reads `arguments` first, then `rest`, and calls `reply` for each item."""

    def __init__(self, wire: Wire, message: Call) -> None:
        self.kind = message.kind
        self.within = message.within
        """The stream id of the request that makes the call; 0 if none does."""
        self._wire = wire
        self._id = message.call
        self._head = message.head
        self._pieces: deque[bytes] = deque([message.body])
        self._complete = message.end == End.BODY
        self._ahead = b""
        """The beginning of the rest, which came in the same piece as the end of the arguments."""
        self._consumed = 0
        self._news: asyncio.Future[None] | None = None
        """Done when something has come for the call: more data, or credit."""
        self._is_cancelled = False

    # For the answering code

    async def arguments(self) -> dict[str, Any]:
        """The named arguments of the call. Raises `CallRefused` if they cannot be read."""
        if self._head > MAX_ARGUMENTS:
            text = f"the arguments have {self._head} bytes, the maximum is {MAX_ARGUMENTS}; send less at once"
            raise CallRefused("invalid", text)
        parts: list[bytes] = []
        missing = self._head
        while missing > 0 and (piece := await self._piece()) is not None:
            parts.append(piece)
            missing -= len(piece)
        data = b"".join(parts)
        data, self._ahead = data[: self._head], data[self._head :]
        try:
            found = await asyncio.to_thread(unpack_value, data) if len(data) > LARGE else unpack_value(data)
        except Exception as error:  # noqa: BLE001 - a plugin's code may have sent anything
            raise CallRefused("invalid", f"the arguments of the call cannot be read: {error}") from None
        if not isinstance(found, dict):
            raise CallRefused("invalid", "the arguments of the call are not named")
        return found

    async def rest(self) -> AsyncIterator[bytes]:
        """The data that follows the arguments (a file, a value), piece by piece."""
        if self._ahead:
            yield self._ahead
            self._ahead = b""
        while (piece := await self._piece()) is not None:
            yield piece

    async def reply(self, item: object) -> None:
        """Send an item, once the plugin has consumed enough of those before. Raises `CallRefused` if the item cannot be
        encoded."""
        packed = _packed(item)
        for start in range(0, len(packed), MAX_PIECE):
            piece = packed[start : start + MAX_PIECE]
            while self._is_open and self._wire.connection.calls.window(self._id) < len(piece):
                await self._wait()
            last = start + MAX_PIECE >= len(packed)
            self._wire.send(Reply(self._id, End.BODY if last else End.MORE, piece))

    def trace(self) -> object:
        """The trace of the request that makes the call; None if there is none."""
        return self._wire.trace_of(self.within) if self.within else None

    async def _piece(self) -> bytes | None:
        while not self._pieces:
            if self._complete:
                return None
            await self._wait()
        piece = self._pieces.popleft()
        self._consumed += cost(piece)
        if self._consumed >= CREDIT_STEP and not self._complete:
            self._wire.send(CallCredit(self._id, self._consumed))
            self._consumed = 0
        return piece

    @property
    def _is_open(self) -> bool:
        return self._id in self._wire.connection.calls

    async def _wait(self) -> None:
        self._news = asyncio.get_running_loop().create_future()
        await self._news

    # For the desk

    def cancel(self, task: "asyncio.Task[None]") -> None:
        """Cancel the task that answers, but only once: a second cancellation would interrupt its clean-up."""
        if not self._is_cancelled:
            self._is_cancelled = True
            task.cancel()

    def hear(self, message: Argument | CallCredit) -> None:
        """Take a message for this call."""
        if isinstance(message, Argument):
            self._pieces.append(message.body)
            self._complete = message.end == End.BODY
        if self._news is not None and not self._news.done():
            self._news.set_result(None)


class CallDesk:
    """The open calls of one worker."""

    def __init__(self, wire: Wire, serve: Serve) -> None:
        self._wire = wire
        self._serve = serve
        self._calls: dict[int, tuple[SessionCall, asyncio.Task[None]]] = {}

    def __len__(self) -> int:
        return len(self._calls)

    def hear(self, message: CallMessage) -> None:
        """Process a message of the worker; a `Call` starts a task."""
        if isinstance(message, Call):
            call = SessionCall(self._wire, message)
            task = asyncio.create_task(self._answer(message.call, call))
            self._calls[message.call] = call, task
            task.add_done_callback(partial(self._put_away, message.call))
        elif message.call in self._calls:
            call, task = self._calls[message.call]
            if isinstance(message, Abandon):
                call.cancel(task)
            elif isinstance(message, Argument | CallCredit):
                call.hear(message)

    def cancel_within(self, stream: int) -> None:
        """Cancel the calls that the request `stream` has made: its answer is not wanted any more."""
        for call, task in list(self._calls.values()):
            if call.within == stream:
                call.cancel(task)

    def close(self) -> None:
        """Cancel all calls: the worker is gone."""
        for call, task in list(self._calls.values()):
            call.cancel(task)

    async def _answer(self, number: int, call: SessionCall) -> None:
        end: Message
        try:
            await self._serve(call)
            end = Answered(number)
        except CallRefused as error:
            end = Refused(number, error.code, _sendable(error.text))
        except Exception:
            log.critical("session.defect", kind=call.kind, exc_info=True)
            end = Refused(number, "failed", "the daemon failed at this call; its log says why")
        self._wire.send(end)

    def _put_away(self, number: int, task: "asyncio.Task[None]") -> None:
        del self._calls[number]
        if task.cancelled():
            # Sent here and not in `_answer`, which never runs if the task is cancelled before its first step. For a
            # call that the worker has abandoned, the connection sends nothing.
            self._wire.send(Refused(number, "cancelled", "the request that made this call was cancelled"))


def _packed(item: object) -> bytes:
    try:
        return pack_value(item)
    except (OverflowError, RecursionError, UnicodeEncodeError, ValueError) as error:
        raise CallRefused("failed", f"what was answered cannot be given to a plugin: {error}") from None


def _sendable(text: str) -> str:
    return text[:MAX_TEXT].encode(errors="replace").decode()
