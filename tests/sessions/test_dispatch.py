"""How calls are counted: each once, by how it ended; and a backend that is silent."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Any

import pytest

from endpointd.manifest.model import NO_PERMISSIONS
from endpointd.sessions.caller import Caller
from endpointd.sessions.calls import SessionCall
from endpointd.sessions.dispatch import SILENCE, Sessions
from endpointd.sessions.errors import CallRefused
from endpointd.sessions.storage import Storage
from endpointd.sessions.tally import Tally
from endpointd.supervisor.latencies import middle_of
from endpointd.testing.values import MemoryValues
from endpointd_wire.frames import pack_value
from endpointd_wire.messages import Argument, Call, End, Message
from support.connection_pair import ConnectionPair
from support.virtual_time import run_in_virtual_time

CALLER = Caller("acme/bot", NO_PERMISSIONS)


class Wire:
    def __init__(self) -> None:
        self.pair = ConnectionPair.opened()
        self.connection = self.pair.host

    def send(self, message: Message) -> None:
        self.pair.host.send(message)

    def trace_of(self, stream: int) -> object:
        return stream


def a_call(kind: str, end: End = End.BODY) -> SessionCall:
    """Without the `end` of its body, its arguments are not there either."""
    wire = Wire()
    packed = pack_value({})
    call = Call(1, 0, kind, len(packed), end, packed if end == End.BODY else b"")
    wire.pair.host.receive(b"".join(wire.pair.worker.send(call)))
    return SessionCall(wire, call)


class After:
    """Says one thing after some seconds, and then ends, or refuses."""

    def __init__(self, seconds: float, refusal: CallRefused | None = None) -> None:
        self._seconds = seconds
        self._refusal = refusal

    async def answer(
        self, caller: Caller, kind: str, arguments: Mapping[str, Any], body: AsyncIterator[bytes]
    ) -> AsyncGenerator[object, None]:
        assert (caller, kind, arguments, [piece async for piece in body]) == (CALLER, "upload_file", {}, [])
        await asyncio.sleep(self._seconds)
        if self._refusal is not None:
            raise self._refusal
        yield 1


def counted(backend: After, kind: str = "upload_file", cancelled_after: float = 1000) -> tuple[Tally, str]:
    """The tally after one call, and the kind that it is of."""

    async def main() -> tuple[Tally, str]:
        sessions = Sessions(Storage(lambda: MemoryValues({}), lambda: 0), lambda _, __: backend)
        task = asyncio.create_task(sessions.answer(CALLER, a_call(kind)))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert [tally.open for tally in sessions.tallies.values()] in ([1], [0])
        await asyncio.wait({task}, timeout=cancelled_after)
        task.cancel()
        await asyncio.wait({task})
        ((plugin, of), tally), *others = sessions.tallies.items()
        assert (plugin, others) == (CALLER.plugin, [])
        return tally, of

    return run_in_virtual_time(main())


@pytest.mark.parametrize(
    ("backend", "cancelled_after", "end", "seconds"),
    [
        (After(2), 1000, "answered", 2),
        (After(3, CallRefused("quota", "")), 1000, "quota", 3),
        (After(100), 5, "cancelled", 5),
        (After(SILENCE + 1), 1000, "timeout", SILENCE),
    ],
)
def test_each_call_is_counted_by_its_end(backend: After, cancelled_after: float, end: str, seconds: float) -> None:
    tally, kind = counted(backend, cancelled_after=cancelled_after)
    assert (tally.open, tally.ends, kind) == (0, {end: 1}, "upload_file")
    (place,) = [place for place, count in enumerate(tally.latencies.counts) if count]
    assert middle_of(place) == pytest.approx(seconds, rel=0.15)


def test_who_answers_is_found_when_all_arguments_are_there() -> None:
    """An exchange of the backends that comes before does no harm."""
    asked: list[str] = []

    def find(_: Caller, kind: str) -> After:
        asked.append(kind)
        return After(1)

    async def main() -> None:
        sessions = Sessions(Storage(lambda: MemoryValues({}), lambda: 0), find)
        call = a_call("upload_file", End.MORE)
        task = asyncio.create_task(sessions.answer(CALLER, call))
        await asyncio.wait({task}, timeout=100)
        assert asked == []
        call.hear(Argument(1, End.BODY, pack_value({})))
        await task
        assert asked == ["upload_file"]

    run_in_virtual_time(main())


@pytest.mark.parametrize(("kind", "of", "end"), [("app", "app", "denied"), ("x" * 50, "unknown", "invalid")])
def test_what_may_not_be_called_is_counted_too(kind: str, of: str, end: str) -> None:
    tally, found = counted(After(0), kind)
    assert (tally.ends, found) == ({end: 1}, of)
