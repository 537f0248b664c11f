"""Calls: their windows, their ids, their ends that cross, and any conversation of them however it is delivered."""

from dataclasses import dataclass
from functools import partial
from random import Random

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from endpointd_wire.calls import MAX_CALLS, PIECE_COST
from endpointd_wire.connection import Connection
from endpointd_wire.errors import LocalWireError, RemoteWireError
from endpointd_wire.flow import WINDOW
from endpointd_wire.frames import MAX_PIECE
from endpointd_wire.messages import (
    Abandon,
    Answered,
    Argument,
    Call,
    CallCredit,
    CallMessage,
    Drain,
    End,
    Refused,
    Reply,
    Response,
)
from support.connection_pair import ConnectionPair, a_call, a_request, frame_of


@pytest.fixture
def pair() -> ConnectionPair:
    """With call 1, whose arguments are not complete."""
    pair = ConnectionPair.opened()
    pair.worker_says(a_call(1, End.MORE))
    return pair


# Ids


def test_a_call_id_is_never_used_again(pair: ConnectionPair) -> None:
    pair.host_says(Answered(1))
    with pytest.raises(LocalWireError, match="call 1 was used before"):
        pair.worker.send(a_call(1))
    with pytest.raises(RemoteWireError, match="call 1 was used before"):
        pair.host.receive(frame_of(a_call(1)))


def test_a_call_that_never_was_is_an_error(pair: ConnectionPair) -> None:
    with pytest.raises(RemoteWireError, match="call 7, which never was"):
        pair.worker.receive(frame_of(Reply(7, End.BODY, b"x")))


def test_a_call_is_made_within_an_open_stream(pair: ConnectionPair) -> None:
    pair.host_says(a_request(1))
    pair.worker_says(a_call(2, within=1))
    pair.worker_says(Response(1, 200, (), End.STREAM, b""))
    # It goes on without its stream, until it is abandoned.
    pair.host_says(Reply(2, End.BODY, b"x"))
    with pytest.raises(LocalWireError, match="within stream 1, which is not open"):
        pair.worker.send(a_call(3, within=1))
    with pytest.raises(RemoteWireError, match="within stream 1, which is not open"):
        pair.host.receive(frame_of(a_call(3, within=1)))


def test_there_are_so_many_calls_and_no_more(pair: ConnectionPair) -> None:
    for call in range(2, MAX_CALLS + 1):
        pair.worker_says(a_call(call))
    with pytest.raises(LocalWireError, match=f"{MAX_CALLS} calls"):
        pair.worker.send(a_call(MAX_CALLS + 1))
    pair.worker_says(Abandon(1))
    pair.worker_says(a_call(MAX_CALLS + 1))
    with pytest.raises(RemoteWireError, match=f"{MAX_CALLS} calls"):
        pair.host.receive(frame_of(a_call(MAX_CALLS + 2)))


def test_a_call_has_no_less_than_no_arguments(pair: ConnectionPair) -> None:
    with pytest.raises(LocalWireError, match="-1 bytes"):
        pair.worker.send(a_call(2)._replace(head=-1))


# Ends


def test_ends_that_cross_do_no_harm(pair: ConnectionPair) -> None:
    abandon = b"".join(pair.worker.send(Abandon(1)))
    said = b"".join(buffer for m in (Reply(1, End.BODY, b"x"), Answered(1)) for buffer in pair.host.send(m))
    assert pair.host.receive(abandon) == []
    assert pair.worker.receive(said) == []
    pair.check()


def test_what_follows_an_end_is_not_sent(pair: ConnectionPair) -> None:
    pair.host_says(Refused(1, "denied", "no"))
    assert pair.worker.send(Argument(1, End.BODY, b"x")) == []
    assert pair.worker.send(Abandon(1)) == []
    assert pair.host.send(Reply(1, End.BODY, b"x")) == []
    assert pair.worker.calls.window(1) < 0


def test_calls_go_on_while_the_worker_drains(pair: ConnectionPair) -> None:
    pair.host_says(a_request(1), Drain())
    pair.worker_says(a_call(2, within=1), Response(1, 200, (), End.STREAM, b""))
    pair.host_says(Reply(2, End.BODY, b"x"), Answered(2), Answered(1))
    assert not pair.worker.calls


# Windows


@pytest.mark.parametrize("by_host", [True, False])
def test_a_window_is_as_large_as_it_says(pair: ConnectionPair, by_host: bool) -> None:
    speaker, listener = (pair.host, pair.worker) if by_host else (pair.worker, pair.host)
    kind: type[Reply | Argument] = Reply if by_host else Argument
    while (window := speaker.calls.window(1)) >= 0:
        listener.receive(b"".join(speaker.send(kind(1, End.MORE, bytes(window)))))
    with pytest.raises(LocalWireError, match="more than the window"):
        speaker.send(kind(1, End.MORE, b""))
    listener.send(CallCredit(1, PIECE_COST))
    speaker.receive(frame_of(CallCredit(1, PIECE_COST)))
    assert speaker.calls.window(1) >= 0


def test_small_pieces_use_the_window_too(pair: ConnectionPair) -> None:
    """Otherwise a megabyte of empty pieces would be no megabyte of memory."""
    count = 0
    while pair.host.calls.window(1) >= 0:
        pair.host_says(Reply(1, End.BODY, b""))
        count += 1
    assert count == WINDOW // PIECE_COST


def test_a_credit_is_for_what_was_used(pair: ConnectionPair) -> None:
    pair.host_says(Reply(1, End.BODY, b"x"))
    with pytest.raises(LocalWireError, match="more than was used"):
        pair.worker.send(CallCredit(1, PIECE_COST + 2))
    pair.worker_says(CallCredit(1, PIECE_COST + 1))
    with pytest.raises(RemoteWireError, match="more than was used"):
        pair.host.receive(frame_of(CallCredit(1, 1)))


def test_a_refused_message_changes_nothing(pair: ConnectionPair) -> None:
    while pair.host.calls.window(1) >= 0:
        pair.host_says(Reply(1, End.BODY, bytes(pair.host.calls.window(1))))
    with pytest.raises(LocalWireError):
        pair.host.send(Reply(1, End.MORE, b""))
    # Were it within an item now, it could not be answered.
    pair.host_says(Answered(1))


# Any conversation


@dataclass
class Model:
    """A call: what each end knows. Sizes are bytes, with what each piece costs."""

    arguments_open: bool
    heard: bool = False
    within: bool = False
    worker_over: bool = False
    host_over: bool = False
    arguments_consumable: int = 0
    reply_consumable: int = 0


class Conversation(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        pair = ConnectionPair.opened()
        self.host, self.worker = pair.host, pair.worker
        self.to_host: list[tuple[CallMessage, bytes]] = []
        self.to_worker: list[tuple[CallMessage, bytes]] = []
        self.calls: dict[int, Model] = {}

    @initialize(seed=st.integers(0, 2**32))
    def begin(self, seed: int) -> None:
        self.chance = Random(seed)

    @rule(size=st.sampled_from([0, 1, 5000, MAX_PIECE]), last=st.booleans())
    def worker_speaks(self, size: int, last: bool) -> None:
        choices = [partial(self.call, size, last)] * (len(self.calls) < 6)
        for call, model in self.calls.items():
            if model.worker_over:
                continue
            if model.arguments_open and self.worker.calls.window(call) >= 0:
                choices += [partial(self.argue, call, model, size, last)] * 2
            choices += [partial(self.credit_replies, call, model)] * (model.reply_consumable > 0)
            choices.append(partial(self.abandon, call, model))
        if choices:
            self.chance.choice(choices)()

    def call(self, size: int, last: bool) -> None:
        call = self.worker.calls.next()
        self.calls[call] = Model(arguments_open=not last)
        self.worker_says(Call(call, 0, "storage", 0, End.BODY if last else End.MORE, bytes(size)))

    def argue(self, call: int, model: Model, size: int, last: bool) -> None:
        model.arguments_open = not last
        body = bytes(min(size, self.worker.calls.window(call)))
        self.worker_says(Argument(call, End.BODY if last else End.MORE, body))

    def credit_replies(self, call: int, model: Model) -> None:
        size, model.reply_consumable = model.reply_consumable, 0
        self.worker_says(CallCredit(call, size))

    def abandon(self, call: int, model: Model) -> None:
        model.worker_over = True
        self.worker_says(Abandon(call))

    @precondition(lambda self: any(model.heard and not model.host_over for model in self.calls.values()))
    @rule(size=st.sampled_from([0, 1, 5000, MAX_PIECE]), last=st.booleans())
    def host_speaks(self, size: int, last: bool) -> None:
        choices = []
        for call, model in self.calls.items():
            if not model.heard or model.host_over:
                continue
            if self.host.calls.window(call) >= 0:
                choices += [partial(self.reply, call, model, size, last)] * 2
            choices += [partial(self.credit_arguments, call, model)] * (model.arguments_consumable > 0)
            end: CallMessage = Refused(call, "failed", "") if model.within or last else Answered(call)
            choices.append(partial(self.end, model, end))
        self.chance.choice(choices)()

    def reply(self, call: int, model: Model, size: int, last: bool) -> None:
        model.within = not last
        body = bytes(min(size, self.host.calls.window(call)))
        self.host_says(Reply(call, End.BODY if last else End.MORE, body))

    def credit_arguments(self, call: int, model: Model) -> None:
        size, model.arguments_consumable = model.arguments_consumable, 0
        self.host_says(CallCredit(call, size))

    def end(self, model: Model, message: CallMessage) -> None:
        model.host_over = True
        self.host_says(message)

    def host_says(self, message: CallMessage) -> None:
        self.to_worker.append((message, b"".join(self.host.send(message))))

    def worker_says(self, message: CallMessage) -> None:
        self.to_host.append((message, b"".join(self.worker.send(message))))

    @precondition(lambda self: self.to_host)
    @rule()
    def deliver_to_host(self) -> None:
        message, data = self.to_host.pop(0)
        model = self.calls[message.call]
        heard = self.host.receive(data[:7]) + self.host.receive(data[7:])
        assert heard == ([] if model.host_over else [message])
        model.heard = True
        if isinstance(message, Call | Argument):
            model.arguments_consumable += len(message.body) + PIECE_COST
        model.host_over |= isinstance(message, Abandon)

    @precondition(lambda self: self.to_worker)
    @rule()
    def deliver_to_worker(self) -> None:
        message, data = self.to_worker.pop(0)
        model = self.calls[message.call]
        heard = self.worker.receive(data[:7]) + self.worker.receive(data[7:])
        assert heard == ([] if model.worker_over else [message])
        if isinstance(message, Reply):
            model.reply_consumable += len(message.body) + PIECE_COST
        model.worker_over |= isinstance(message, Answered | Refused)

    @invariant()
    def both_know_what_the_model_knows(self) -> None:
        for call, model in self.calls.items():
            assert (call in self.worker.calls) == (not model.worker_over)
            assert (call in self.host.calls) == (model.heard and not model.host_over)

    def teardown(self) -> None:
        while self.to_host or self.to_worker:
            if self.to_host:
                self.deliver_to_host()
            if self.to_worker:
                self.deliver_to_worker()
        for call in self.calls:
            assert (call in self.worker.calls) == (call in self.host.calls)
            exhaust(self.host, self.worker, call)


def exhaust(host: Connection, worker: Connection, call: int) -> None:
    """The worker accepts exactly as much as the host may send."""
    while (window := host.calls.window(call)) >= 0:
        worker.receive(b"".join(host.send(Reply(call, End.BODY, bytes(window)))))


TestConversation = Conversation.TestCase
