"""The host's desk of calls, on a connection in memory: what it says to the worker, whatever comes when."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from endpointd.sessions.calls import CallDesk, SessionCall
from endpointd.sessions.errors import CallRefused
from endpointd_wire.calls import cost
from endpointd_wire.frames import pack_value
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
from support.connection_pair import ConnectionPair, a_request

Serve = Callable[[SessionCall], Awaitable[None]]


class Wire:
    """The host's end, and the worker's, which hears at once."""

    def __init__(self, serve: Serve) -> None:
        self.pair = ConnectionPair.opened()
        self.connection = self.pair.host
        self.heard: list[Message] = []
        self.desk = CallDesk(self, serve)

    def send(self, message: Message) -> None:
        self.heard += self.pair.worker.receive(b"".join(self.pair.host.send(message)))

    def trace_of(self, stream: int) -> object:
        return stream

    def worker_says(self, message: CallMessage) -> None:
        for heard in self.pair.host.receive(b"".join(self.pair.worker.send(message))):
            self.desk.hear(heard)  # type: ignore[arg-type]

    def call(self, arguments: object = None, *, end: End = End.BODY, within: int = 0, body: bytes = b"") -> None:
        packed = pack_value(arguments or {})
        call = self.pair.worker.calls.next()
        self.worker_says(Call(call, within, "storage", len(packed), end, packed + body))

    async def settle(self) -> None:
        """Wait until no call is open."""
        await turns_until(lambda: not len(self.desk))


async def turns_until(holds: Callable[[], bool]) -> None:
    """Let the event loop turn until it holds. Some turns are enough for whatever waits for nothing."""
    for _ in range(1000):
        if holds():
            return
        await asyncio.sleep(0)
    raise AssertionError(f"{holds} never held")


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(10):
            await test()

    asyncio.run(bounded())


async def forever(_: SessionCall) -> None:
    await asyncio.Event().wait()


def test_a_call_that_is_cancelled_before_it_has_begun_is_refused() -> None:
    async def test() -> None:
        wire = Wire(forever)
        wire.pair.host_says(a_request(1))
        wire.call(within=1)
        wire.desk.cancel_within(1)
        await wire.settle()
        assert [type(message) for message in wire.heard] == [Refused]
        # What the worker may have said before it heard of that.
        wire.desk.hear(Abandon(1))
        wire.desk.hear(CallCredit(1, 1))

    run(test)


def test_only_the_calls_within_a_request_end_with_it() -> None:
    async def test() -> None:
        wire = Wire(forever)
        wire.pair.host_says(a_request(1), a_request(2))
        for within in (1, 2, 0):
            wire.call(within=within)
        await asyncio.sleep(0)
        wire.desk.cancel_within(1)
        await turns_until(lambda: bool(wire.heard))
        assert wire.heard == [Refused(1, "cancelled", "the request that made this call was cancelled")]
        assert len(wire.desk) == 2
        wire.desk.close()
        await wire.settle()

    run(test)


def test_who_answers_puts_away_what_it_has_open_however_often_nobody_wants_it() -> None:
    put_away = []

    async def careful(_: SessionCall) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            put_away.append(True)

    async def test() -> None:
        wire = Wire(careful)
        wire.pair.host_says(a_request(1))
        wire.call(within=1)
        await asyncio.sleep(0)
        wire.desk.cancel_within(1)
        await asyncio.sleep(0)
        wire.worker_says(Abandon(1))
        wire.desk.close()
        await wire.settle()
        assert put_away == [True]

    run(test)


def nested(depth: int) -> object:
    found: object = 0
    for _ in range(depth):
        found = [found]
    return found


@pytest.mark.parametrize("make", [lambda: "\ud800", lambda: 1 << 100_000, lambda: nested(2000)])
def test_what_cannot_be_sent_is_a_refusal(make: Callable[[], object]) -> None:
    async def serve(call: SessionCall) -> None:
        await call.reply(make())

    async def test() -> None:
        wire = Wire(serve)
        wire.call()
        await wire.settle()
        (said,) = wire.heard
        assert isinstance(said, Refused)
        assert said.code == "failed"

    run(test)


def test_nothing_is_said_to_who_has_abandoned_it() -> None:
    async def test() -> None:
        wire = Wire(forever)
        wire.call()
        await asyncio.sleep(0)
        wire.worker_says(Abandon(1))
        await wire.settle()
        assert wire.heard == []

    run(test)


async def read(call: SessionCall) -> None:
    arguments = await call.arguments()
    body = b"".join([piece async for piece in call.rest()])
    await call.reply([arguments, body])


@pytest.mark.parametrize("cut", [1, 3, 5, 7, 9])
def test_arguments_and_what_follows_are_told_apart_however_they_are_cut(cut: int) -> None:
    async def test() -> None:
        wire = Wire(read)
        packed = pack_value({"a": 1})
        whole = packed + b"rest"
        wire.worker_says(Call(1, 0, "storage", len(packed), End.MORE, whole[:cut]))
        await asyncio.sleep(0)
        wire.worker_says(Argument(1, End.BODY, whole[cut:]))
        await wire.settle()
        assert wire.heard == [Reply(1, End.BODY, pack_value([{"a": 1}, b"rest"])), Answered(1)]

    run(test)


@pytest.mark.parametrize("packed", [b"", b"\xc1", pack_value([1]), pack_value({"a": 1})[:-1]])
def test_arguments_that_are_none_are_refused(packed: bytes) -> None:
    async def test() -> None:
        wire = Wire(read)
        wire.worker_says(Call(1, 0, "storage", len(packed), End.BODY, packed))
        await wire.settle()
        (said,) = wire.heard
        assert isinstance(said, Refused)
        assert said.code == "invalid"

    run(test)


def test_a_refusals_text_can_always_be_sent() -> None:
    async def refuse(_: SessionCall) -> None:
        raise CallRefused("failed", "\ud800" + "x" * 5_000_000)

    async def test() -> None:
        wire = Wire(refuse)
        wire.call()
        await wire.settle()
        (said,) = wire.heard
        assert isinstance(said, Refused)
        assert said.text.startswith("?x")

    run(test)


def test_credit_is_given_for_what_was_taken() -> None:
    async def test() -> None:
        wire = Wire(read)
        wire.call(end=End.MORE)
        sent = 0
        while sent < 5_000_000:
            await turns_until(lambda: wire.pair.worker.calls.window(1) >= 100_000)
            wire.worker_says(Argument(1, End.MORE, bytes(100_000)))
            sent += 100_000
        wire.worker_says(Argument(1, End.BODY, b""))
        # So has the plugin, for what it takes.
        for _ in range(1000):
            for message in [one for one in wire.heard if isinstance(one, Reply)]:
                wire.heard.remove(message)
                wire.worker_says(CallCredit(1, cost(message.body)))
            await asyncio.sleep(0)
        assert wire.heard[-1] == Answered(1)

    run(test)
