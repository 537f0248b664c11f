"""A relay, between an exchange and a client that stands still: what happens to the pieces that come while it waits, and
to its clocks. In virtual time."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, cast

import pytest

from endpointd.channel.exchange import Exchange, Settler
from endpointd.gateway.client import Client
from endpointd.gateway.clocks import Clocks
from endpointd.gateway.heads import ResponseHead
from endpointd.gateway.limits import RelayLimits
from endpointd.gateway.relay import MOST_HELD, Relay
from endpointd_wire.connection import Connection, Role
from endpointd_wire.flow import CREDIT_STEP
from endpointd_wire.messages import Closed, Credit, Data, End, Message, Response
from support.virtual_time import run_in_virtual_time

STREAM = 7
IDLE = 10.0


class Wire:
    """Stands for the channel. `hear` is one reading, of messages that came together."""

    connection = Connection(Role.HOST)
    is_open = True

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.said: list[Message] = []
        self._fed: list[Settler] = []

    def send(self, message: Message, *, at_once: bool = False) -> None:  # noqa: ARG002 - the channel's signature
        self.said.append(message)

    def cancel(self, exchange: Exchange, reason: str) -> None:
        raise AssertionError(f"{exchange} is cancelled: {reason}")

    def feed(self, settler: Settler) -> None:
        self._fed.append(settler)

    def hear(self, exchange: Exchange, *messages: Response | Data | Closed) -> None:
        for message in messages:
            exchange.deliver(message)
        while self._fed:
            self._fed.pop().settle()


class StandIn:
    """A client: what has left, and what is held."""

    gone = False
    takes_all = True

    def __init__(self) -> None:
        self.has_room = True
        self.sent: list[bytes] = []
        self.is_complete = False
        self.is_broken = False
        self._parts: list[bytes] = []

    @property
    def held(self) -> int:
        return sum(map(len, self._parts))

    def begin(self, status: int, head: ResponseHead, *, by_closing: bool = False) -> None:
        """The head is of no interest."""

    def put(self, body: bytes, *, last: bool) -> None:
        self._parts.append(body)
        if last:
            self.settle()

    def settle(self) -> None:
        self.is_complete = True
        self.flush()

    def put_at_once(self, body: memoryview) -> None:
        self._parts.append(bytes(body))
        self.flush()

    def flush(self) -> None:
        if self._parts:
            self.sent.append(b"".join(self._parts))
            self._parts = []

    async def room(self) -> None:
        assert self.has_room

    def unsent(self) -> int:
        return 0

    def abort(self) -> None:
        self.is_broken = True


class Scene:
    """A relay that waits for the second piece of a body."""

    def __init__(self, length: int | None, method: str) -> None:
        self.wire, self.client, self.clocks = Wire(), StandIn(), Clocks()
        self.exchange = Exchange(self.wire, STREAM)
        limits = RelayLimits(body=1000, clock_first_byte=0, clock_idle=IDLE, clock_total=0, clock_client_idle=0)
        client: Any = self.client
        self.relay = Relay(self.exchange, self.clocks, client, limits, method, "1.1", "test/duck")
        self.clocks.add(self.relay)
        headers = () if length is None else ((b"Content-Length", str(length).encode()),)
        self.wire.hear(self.exchange, Response(STREAM, 200, headers, End.MORE, b""))
        self.run = asyncio.create_task(self.relay.run())

    def hear(self, *bodies: bytes, last: bytes | None = None) -> None:
        """Pieces that have come together."""
        end = [] if last is None else [Data(STREAM, End.STREAM, last)]
        self.wire.hear(self.exchange, *(Data(STREAM, End.MORE, body) for body in bodies), *end)


Story = Callable[[Scene], Coroutine[Any, Any, None]]


def played(story: Story, length: int | None = None, method: str = "GET") -> None:
    async def main() -> None:
        scene = Scene(length, method)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await story(scene)
        scene.clocks.stop()
        scene.run.cancel()

    run_in_virtual_time(main())


def test_an_answer_in_one_piece_leaves_when_all_is_handed_out_that_came_with_it() -> None:
    """On the direct path."""

    async def main() -> None:
        wire, client = Wire(), StandIn()
        exchange = Exchange(wire, STREAM)
        limits = RelayLimits(body=1000, clock_first_byte=0, clock_idle=IDLE, clock_total=0, clock_client_idle=0)
        relay = Relay(exchange, Clocks(), cast("Client", client), limits, "GET", "1.1", "test/duck")
        said: list[object] = []
        exchange.listen(lambda: said.extend([relay.answer_at_once(), client.is_complete, [*client.sent]]))
        wire.hear(exchange, Response(STREAM, 200, (), End.STREAM, b"quack"))
        assert said == [True, False, []]
        assert (client.is_complete, client.sent, relay.sent) == (True, [b"quack"], 5)

    run_in_virtual_time(main())


@pytest.mark.parametrize("clock", ["clock_total", "clock_client_idle"])
def test_a_clock_runs_out_while_the_answer_waits_for_those_before_it(clock: str) -> None:
    class Congested(StandIn):
        """Has no room until it is broken."""

        def __init__(self) -> None:
            super().__init__()
            self.has_room = False
            self.end = asyncio.Event()

        async def room(self) -> None:
            await self.end.wait()

        def abort(self) -> None:
            super().abort()
            self.gone = True
            self.end.set()

    async def main() -> None:
        wire, client, clocks = Wire(), Congested(), Clocks()
        reasons: list[str] = []
        wire.cancel = lambda exchange, reason: reasons.append(reason)  # type: ignore[method-assign] # noqa: ARG005
        exchange = Exchange(wire, STREAM)
        running = {"clock_total": 0.0, "clock_client_idle": 0.0, clock: IDLE}
        limits = RelayLimits(1000, clock_first_byte=IDLE / 2, clock_idle=IDLE / 2, **running)
        relay = Relay(exchange, clocks, cast("Client", client), limits, "GET", "1.1", "test/duck")
        clocks.add(relay)
        wire.hear(exchange, Response(STREAM, 200, (), End.STREAM, b"quack"))
        run = asyncio.create_task(relay.run())
        await asyncio.sleep(0.9 * IDLE)
        assert not client.is_broken
        await asyncio.wait_for(run, IDLE)
        assert (reasons, relay.status, relay.answered) == ([clock], 0, False)
        clocks.stop()

    run_in_virtual_time(main())


def test_pieces_that_come_together_leave_together_and_at_once() -> None:
    async def story(scene: Scene) -> None:
        scene.hear(b"one", b"two")
        assert scene.client.sent == [b"onetwo"]
        scene.hear(b"three")
        assert scene.client.sent == [b"onetwo", b"three"]
        assert scene.relay.sent == len(b"onetwothree")

    played(story)


def test_those_that_come_with_the_end_leave_with_it() -> None:
    async def story(scene: Scene) -> None:
        scene.hear(b"one", b"two", last=b"three")
        await scene.run
        assert scene.client.sent == [b"onetwothree"]
        assert scene.client.is_complete
        assert scene.relay.answered
        assert scene.relay.sent == len(b"onetwothree")

    played(story)


def test_no_more_is_held_than_may_be() -> None:
    async def story(scene: Scene) -> None:
        scene.hear(*[bytes(MOST_HELD // 2)] * 5)
        assert [len(piece) for piece in scene.client.sent] == [MOST_HELD, MOST_HELD, MOST_HELD // 2]

    played(story)


def test_what_is_taken_is_credited() -> None:
    async def story(scene: Scene) -> None:
        scene.hear(bytes(CREDIT_STEP - 1))
        assert scene.wire.said == []
        scene.hear(b"x")
        assert scene.wire.said == [Credit(STREAM, CREDIT_STEP)]
        assert scene.exchange.offer(memoryview(bytes(CREDIT_STEP)))
        assert scene.wire.said == [Credit(STREAM, CREDIT_STEP)] * 2

    played(story)


def test_a_piece_waits_for_a_client_without_room() -> None:
    async def story(scene: Scene) -> None:
        scene.client.has_room = False
        scene.hear(b"one")
        assert scene.client.sent == []
        scene.client.has_room = True
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert scene.client.sent == [b"one"]

    played(story)


@pytest.mark.parametrize("bodies", [[b"12345", b"6789"], [b"1234567890"]])
def test_no_more_than_the_announced_length_is_sent(bodies: list[bytes]) -> None:
    async def story(scene: Scene) -> None:
        scene.wire.cancel = lambda *_: None  # type: ignore[method-assign]
        scene.hear(*bodies)
        await scene.run
        assert b"".join(scene.client.sent) == b"12345678"
        assert scene.client.is_complete

    played(story, length=8)


def test_a_length_that_is_filled_is_all_that_the_client_can_have() -> None:
    async def story(scene: Scene) -> None:
        scene.hear(b"1234567")
        assert scene.relay.delivered is False
        scene.hear(b"8")
        assert [scene.relay.delivered, scene.relay.answered] == [True, False]

    played(story, length=8)


def test_an_answer_to_head_gets_no_body() -> None:
    async def story(scene: Scene) -> None:
        scene.hear(b"one", b"two", last=b"three")
        await scene.run
        assert not b"".join(scene.client.sent)
        assert scene.client.is_complete

    played(story, method="HEAD")


def test_the_clock_begins_anew_with_each_piece() -> None:
    async def story(scene: Scene) -> None:
        for _ in range(10):
            await asyncio.sleep(0.9 * IDLE)
            scene.hear(b"x")
        await asyncio.sleep(0.9 * IDLE)
        assert not scene.client.is_broken
        scene.wire.cancel = lambda *_: None  # type: ignore[method-assign]
        await asyncio.sleep(0.2 * IDLE)
        assert scene.client.is_broken

    played(story)
