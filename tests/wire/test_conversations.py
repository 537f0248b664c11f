"""Any legal conversation, however its bytes are delivered, arrives as it was said, and both ends agree afterwards.

The machine says whatever may be said next, keeps what is under way in two pipes, and holds what is heard against a
model that knows the rules in its own words.
"""

from dataclasses import dataclass
from functools import partial
from random import Random

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from endpointd_wire.connection import Connection
from endpointd_wire.errors import RemoteWireError
from endpointd_wire.flow import WINDOW
from endpointd_wire.frames import MAX_PIECE
from endpointd_wire.memory import LARGE
from endpointd_wire.messages import Cancel, Closed, Credit, Data, End, Failed, Log, Message, Ping, Response, Stored
from support.connection_pair import ConnectionPair, a_request, frame_of

SIZES = st.sampled_from([0, 1, 4095, 4096, 65_536, MAX_PIECE]) | st.integers(0, MAX_PIECE)
SHARES = st.just(1.0) | st.floats(0, 1)
"""How much of what is under way arrives."""
SELDOM = st.sampled_from([False] * 7 + [True])
STREAMS = 4
FINAL = (Closed, Failed)


@dataclass
class Side:
    """What one end knows of a stream. Sizes are bytes."""

    is_over: bool = False
    may_send: int = WINDOW
    consumable: int = 0
    """Received, and not credited to the peer."""


class Model:
    """One stream: what its two ends know, and what of it is under way to each."""

    def __init__(self, request_body_open: bool) -> None:
        self.host, self.worker = Side(), Side()
        self.request_body_open = request_body_open
        self.heard = False
        """Whether the worker has heard of it."""
        self.answer = "awaited"
        self.cancel_said = False
        self.cancel_heard = False


class Pipe:
    """What one end has said and the other has not heard."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.messages: list[tuple[Message, int]] = []
        """Each with the place of its last byte in the pipe's whole life."""
        self.written = 0
        self.read = 0

    def write(self, message: Message, buffers: list[bytes]) -> None:
        data = b"".join(buffers)
        self.data += data
        self.written += len(data)
        self.messages.append((message, self.written))

    def take(self, share: float) -> tuple[bytes, list[Message]]:
        """The next bytes, as large a share of them, and the messages that they complete."""
        size = max(1, int(len(self.data) * share))
        data = bytes(self.data[:size])
        del self.data[:size]
        self.read += len(data)
        heard = [message for message, end in self.messages if end <= self.read]
        del self.messages[: len(heard)]
        return data, heard


class Conversation(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        pair = ConnectionPair.opened()
        self.host, self.worker = pair.host, pair.worker
        self.to_worker, self.to_host = Pipe(), Pipe()
        self.streams: dict[int, Model] = {}
        self.pattern = 0

    @initialize(seed=st.integers(0, 2**32))
    def begin(self, seed: int) -> None:
        """A choice among what may be said is uniform: drawn from hypothesis, it would hardly ever be a late one."""
        self.chance = Random(seed)

    def body(self, size: int) -> bytes:
        """`size` bytes that differ from those before."""
        self.pattern += 1
        return self.pattern.to_bytes(4, "big").ljust(size, b"-")[:size]

    # The host

    @rule(size=SIZES, last=SELDOM)
    def host_speaks(self, size: int, last: bool) -> None:
        """Say one of the things that the host may say now."""
        choices = [partial(self.host_says, Ping(self.pattern))]
        if len(self.streams) < STREAMS:
            choices.append(partial(self.request, size, last))
        for stream, model in self.streams.items():
            if not model.host.is_over:
                choices += [partial(self.cancel, stream, model)] * (last and not model.cancel_said)
                choices += [partial(self.upload, stream, model, size, last)] * 2 * model.request_body_open
                choices += [partial(self.credit_the_worker, stream, model, size)] * 2 * (model.host.consumable > 0)
        self.chance.choice(choices)()

    def request(self, size: int, last: bool) -> None:
        stream = self.host.next_stream()
        model = self.streams[stream] = Model(request_body_open=not last)
        body = self.body(size)
        model.host.may_send -= size
        self.host_says(a_request(stream, End.BODY if last else End.MORE, body))

    def upload(self, stream: int, model: Model, size: int, last: bool) -> None:
        body = self.body(min(size, model.host.may_send))
        model.host.may_send -= len(body)
        model.request_body_open = not last
        self.host_says(Data(stream, End.BODY if last else End.MORE, body))

    def credit_the_worker(self, stream: int, model: Model, part: int) -> None:
        size = min(part + 1, model.host.consumable)
        model.host.consumable -= size
        self.host_says(Credit(stream, size))

    def cancel(self, stream: int, model: Model) -> None:
        model.cancel_said = True
        self.host_says(Cancel(stream, "client gone"))

    # The worker

    @precondition(lambda self: self.streams)
    @rule(size=SIZES, end=st.sampled_from([End.MORE] * 6 + [End.BODY, End.STREAM]), last=SELDOM)
    def worker_speaks(self, size: int, end: End, last: bool) -> None:
        """Say one of the things that the worker may say now."""
        choices = [partial(self.worker_says, Log(20, "duck", "quack", ""))]
        for stream, model in self.streams.items():
            if model.heard and not model.worker.is_over:
                choices += [partial(self.answer, stream, model, size, end)] * 2 * (model.answer != "closing")
                choices += [partial(self.credit_the_host, stream, model, size)] * 2 * (model.worker.consumable > 0)
                choices += [partial(self.finish, model, Closed(stream))] * (
                    model.cancel_heard or model.answer == "closing"
                )
                choices += [partial(self.finish, model, Failed(stream, "exception", ""))] * last
        self.chance.choice(choices)()

    def answer(self, stream: int, model: Model, size: int, end: End) -> None:
        body = self.body(min(size, model.worker.may_send))
        model.worker.may_send -= len(body)
        is_head = model.answer == "awaited"
        model.answer = {End.MORE: "body", End.BODY: "closing", End.STREAM: "over"}[end]
        model.worker.is_over = end is End.STREAM
        headers = ((b"Set-Cookie", b"a=1"), (b"Set-Cookie", b"b=2"))
        if is_head:
            self.worker_says(Response(stream, 200, headers, end, body))
        elif len(body) >= LARGE and self.chance.random() < 0.5:
            self.worker_says(Stored(stream, end, self.pattern, len(body)))
        else:
            self.worker_says(Data(stream, end, body))

    def credit_the_host(self, stream: int, model: Model, part: int) -> None:
        size = min(part + 1, model.worker.consumable)
        model.worker.consumable -= size
        self.worker_says(Credit(stream, size))

    def finish(self, model: Model, last: Message) -> None:
        model.answer, model.worker.is_over = "over", True
        self.worker_says(last)

    # Delivery

    @precondition(lambda self: self.to_worker.data)
    @rule(share=SHARES)
    def deliver_to_worker(self, share: float) -> None:
        data, said = self.to_worker.take(share)
        assert self.worker.receive(data) == [message for message in said if self.worker_hears(message)]

    @precondition(lambda self: self.to_host.data)
    @rule(share=SHARES)
    def deliver_to_host(self, share: float) -> None:
        data, said = self.to_host.take(share)
        assert self.host.receive(data) == [message for message in said if self.host_hears(message)]

    def host_says(self, message: Message) -> None:
        self.to_worker.write(message, self.host.send(message))

    def worker_says(self, message: Message) -> None:
        self.to_host.write(message, self.worker.send(message))

    def worker_hears(self, message: Message) -> bool:
        model = self.streams.get(getattr(message, "stream", 0))
        if model is None:
            return True
        if model.worker.is_over:
            return False
        model.heard = True
        model.worker.consumable += len(getattr(message, "body", b""))
        if isinstance(message, Credit):
            model.worker.may_send += message.size
        model.cancel_heard |= isinstance(message, Cancel)
        return True

    def host_hears(self, message: Message) -> bool:
        model = self.streams.get(getattr(message, "stream", 0))
        if model is None:
            return True
        stored = message.size if isinstance(message, Stored) else 0
        model.host.consumable += stored or len(getattr(message, "body", b""))
        if isinstance(message, Credit):
            model.host.may_send += message.size
            return True
        model.host.is_over = isinstance(message, FINAL) or getattr(message, "end", None) == End.STREAM
        return model.host.is_over or not model.cancel_said or bool(stored)

    # Agreement

    @invariant()
    def both_know_what_the_model_knows(self) -> None:
        for stream, model in self.streams.items():
            assert self.host.is_open(stream) == (not model.host.is_over)
            assert self.host.window(stream) == (0 if model.host.is_over else model.host.may_send)
            if model.heard and not model.worker.is_over:
                assert self.worker.window(stream) == model.worker.may_send

    def teardown(self) -> None:
        """When everything has arrived, each end accepts exactly as much as the other may send."""
        self.deliver_everything()
        open_streams = [(stream, model) for stream, model in self.streams.items() if not model.host.is_over]
        assert self.host.open_streams == self.worker.open_streams == len(open_streams)
        for stream, model in open_streams:
            if model.request_body_open:
                exhaust(self.host, self.worker, stream)
            if model.answer == "body":
                exhaust(self.worker, self.host, stream)
        for stream, model in open_streams:
            if model.answer == "body":
                with pytest.raises(RemoteWireError, match="more than the window of 0"):
                    self.host.receive(frame_of(Data(stream, End.MORE, b"x")))
                return

    def deliver_everything(self) -> None:
        while self.to_worker.data or self.to_host.data:
            if self.to_worker.data:
                self.deliver_to_worker(1.0)
            if self.to_host.data:
                self.deliver_to_host(1.0)


def exhaust(speaker: Connection, listener: Connection, stream: int) -> None:
    """Say as much as may be said."""
    while window := speaker.window(stream):
        listener.receive(b"".join(speaker.send(Data(stream, End.MORE, bytes(min(window, MAX_PIECE))))))


TestConversation = Conversation.TestCase
TestConversation.settings = settings(
    max_examples=100,
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    # Conversations of many large pieces take minutes to shrink; fifty steps can be read as they are.
    phases=set(Phase) - {Phase.shrink},
)
