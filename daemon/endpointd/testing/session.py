"""The session of a plugin under test: storage in memory, and answers that the test provides."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeAlias

from endpointd.sessions.backends import Backend
from endpointd.sessions.caller import Caller
from endpointd.sessions.dispatch import Sessions
from endpointd.sessions.errors import CallRefused
from endpointd.sessions.permissions import NEEDS
from endpointd.sessions.storage import Storage
from endpointd.testing.values import MemoryValues

Answer: TypeAlias = object
"""The answer to a kind of call: an item of the reply, a list of items, or a function that takes the arguments and
returns one of these, or yields items."""

UNLIMITED = 1 << 30


@dataclass(frozen=True, slots=True)
class SessionCallMade:
    """A call that the plugin has made: its kind, its arguments, and the file that came with it."""

    kind: str
    arguments: dict[str, Any]
    body: bytes


class FakeSession:
    """Pass it to `load_plugin`. Calls for which the manifest does not ask permission are denied, as by the daemon.

    stored: the initial content of `session.storage`. answers: the answer for each kind of call ("app", "llm", "tool",
    …). For "app" and "llm", a str stands for a message with this text. A function may raise `CallRefused`.
    """

    def __init__(
        self, *, stored: Mapping[str, bytes] | None = None, answers: Mapping[str, Answer] | None = None
    ) -> None:
        unknown = sorted(set(answers or {}) - set(NEEDS))
        if unknown:
            raise ValueError(f"there are no calls of the kind {unknown[0]!r}, but {', '.join(sorted(NEEDS))}")
        self.calls: list[SessionCallMade] = []
        """The calls that the plugin has made, except those to the storage, in order."""
        self.answers: dict[str, Answer] = dict(answers or {})
        """May be changed at any time."""
        self._values = MemoryValues(stored or {})

    @property
    def stored(self) -> dict[str, bytes]:
        """What is in the plugin's storage now."""
        return self._values.all()

    def calls_of(self, kind: str) -> list[SessionCallMade]:
        """The calls of one kind, in order."""
        return [call for call in self.calls if call.kind == kind]

    def serve(self) -> tuple[Sessions, Storage]:
        """What answers the calls of one worker, and its storage, which must be closed in the end."""
        storage = Storage(lambda: self._values, lambda: UNLIMITED)
        return Sessions(storage, self._find), storage

    def _find(self, caller: Caller, kind: str) -> Backend:
        if kind in self.answers:
            return self
        text = f"nothing answers calls of the kind {kind} for {caller.plugin}"
        raise CallRefused("unconfigured", f"{text}: give load_plugin a FakeSession with answers to {kind!r}")

    # The backend for all kinds of calls that have an answer

    async def answer(
        self,
        caller: Caller,  # noqa: ARG002 - a backend's signature
        kind: str,
        arguments: Mapping[str, Any],
        body: AsyncIterator[bytes],
    ) -> AsyncGenerator[object, None]:
        made = SessionCallMade(kind, dict(arguments), b"".join([piece async for piece in body]))
        self.calls.append(made)
        answer = self.answers[kind]
        if callable(answer):
            answer = await asyncio.to_thread(_call, answer, made)
        if isinstance(answer, Iterator):
            async for item in _in_thread(answer):
                yield _item(kind, item, arguments)
            return
        for item in answer if isinstance(answer, list) else [answer]:
            yield _item(kind, item, arguments)


def _call(function: Callable[[dict[str, Any]], Answer], made: SessionCallMade) -> Answer:
    with _explained():
        return function(made.arguments)


async def _in_thread(items: Iterator[object]) -> AsyncIterator[object]:
    """Iterate in threads. The iterator is closed at the end, or as soon as its current step has ended."""
    nothing = object()
    while True:
        making = asyncio.ensure_future(asyncio.to_thread(_next, items, nothing))
        try:
            item = await asyncio.shield(making)
        except asyncio.CancelledError:
            making.add_done_callback(lambda _: _close(items))
            raise
        if item is nothing:
            return
        try:
            yield item
        except GeneratorExit:
            _close(items)
            raise


def _close(items: Iterator[object]) -> None:
    # ValueError: the generator is still running, for example because it waits for the test.
    with suppress(ValueError):
        getattr(items, "close", lambda: None)()


def _next(items: Iterator[object], default: object) -> object:
    with _explained():
        return next(items, default)


@contextmanager
def _explained() -> Iterator[None]:
    """Turn an exception of the test's function into a refusal, which the plugin gets."""
    try:
        yield
    except CallRefused:
        raise
    except Exception as error:
        raise CallRefused("failed", f"the test's answer raised {type(error).__name__}: {error}") from error


def _item(kind: str, item: object, arguments: Mapping[str, Any]) -> object:
    if not isinstance(item, str):
        return item
    if kind == "llm":
        return {"model": arguments.get("model", ""), "delta": {"message": {"role": "assistant", "content": item}}}
    if kind == "app":
        return {"event": "message", "answer": item}
    return item
