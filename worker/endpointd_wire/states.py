"""Which message is allowed when: the state tables of the protocol, and nothing else.

`PHASES` is the state machine of a connection. A stream has two: `BODIES` for what the host sends, `ANSWERS` for what
the worker sends. So has a call: `ARGUMENTS` for the worker's part, `REPLIES` for the host's. The tables depend on
neither role nor time: both sides apply the same row, one when it sends and the other when it receives.
"""

from collections.abc import Collection, Mapping
from enum import Enum
from typing import TypeAlias

from endpointd_wire.messages import (
    Abandon,
    Answered,
    Argument,
    Call,
    CallCredit,
    Cancel,
    Closed,
    Credit,
    Data,
    Drain,
    Drained,
    End,
    Failed,
    Hello,
    Load,
    LoadFailed,
    Log,
    Memory,
    Message,
    Ping,
    Pong,
    Ready,
    Refused,
    Reply,
    Request,
    Response,
    Stored,
)


class Symbol(Enum):
    """Base of the states. They are looked up in tables for every message, so they are hashed by identity, in C; `Enum`
    hashes by name, in Python."""

    __hash__ = object.__hash__


class Phase(Symbol):
    NEW = "new"
    """The worker has not sent `Hello` yet."""
    GREETED = "greeted"
    """The worker has sent `Hello`."""
    LOADING = "loading"
    """The host has sent `Load`; the plugin is being imported."""
    OPEN = "open"
    """Requests may be sent."""
    DRAINING = "draining"
    """No further request may be sent; the open streams go on."""
    ENDED = "ended"
    """No further message may be sent."""


class Answer(Symbol):
    """The state of a stream's answer."""

    AWAITED = "awaited"
    """The head was not sent yet."""
    BODY = "body"
    """The head was sent; the body is not complete."""
    CLOSING = "closing"
    """The body is complete; the worker's thread is not free yet."""
    OVER = "over"


class Body(Symbol):
    """The state of a request's body, or of a call's data."""

    OPEN = "open"
    COMPLETE = "complete"


class Item(Symbol):
    """The state of a call's reply, which is a sequence of items."""

    BETWEEN = "between items"
    WITHIN = "within an item"
    OVER = "over"


CALL_MESSAGES = frozenset({Call, Argument, Reply, CallCredit, Answered, Refused, Abandon})
"""The messages that belong to a call, by its id, and to no stream."""

HOST_SAYS = frozenset({Memory, Load, Request, Data, Credit, Cancel, Ping, Drain, Reply, CallCredit, Answered, Refused})
WORKER_SAYS = frozenset(
    {Hello, Ready, LoadFailed, Response, Data, Stored, Credit, Closed, Failed, Pong, Drained, Log}
    | {Call, Argument, CallCredit, Abandon},
)

PHASES: Mapping[tuple[Phase, type[Message]], Phase] = {
    (Phase.NEW, Hello): Phase.GREETED,
    # The host sends it without waiting for `Hello`; the worker reads it only after it has sent `Hello`.
    (Phase.NEW, Memory): Phase.NEW,
    (Phase.GREETED, Memory): Phase.GREETED,
    (Phase.GREETED, Load): Phase.LOADING,
    (Phase.LOADING, Ready): Phase.OPEN,
    (Phase.LOADING, LoadFailed): Phase.ENDED,
    (Phase.LOADING, Log): Phase.LOADING,
    (Phase.LOADING, Ping): Phase.LOADING,
    (Phase.LOADING, Pong): Phase.LOADING,
    (Phase.OPEN, Drain): Phase.DRAINING,
    (Phase.DRAINING, Drained): Phase.ENDED,
    (Phase.OPEN, Request): Phase.OPEN,
    **{
        (phase, kind): phase
        for phase in (Phase.OPEN, Phase.DRAINING)
        for kind in (Response, Data, Stored, Credit, Cancel, Closed, Failed, Ping, Pong, Log, *CALL_MESSAGES)
    },
}
"""The phase that follows each message that is allowed in a phase. What is not here is not allowed."""


def transitions(kinds: Collection[type[Message]]) -> dict[Phase, dict[type[Message], Phase]]:
    """The rows of `PHASES` for these kinds of messages, by phase and then by kind."""
    return {phase: {kind: PHASES[phase, kind] for kind in kinds if (phase, kind) in PHASES} for phase in Phase}


HOST_TRANSITIONS = transitions(HOST_SAYS)
WORKER_TRANSITIONS = transitions(WORKER_SAYS)

Step: TypeAlias = tuple[type[Message], int | None]
"""A kind of message with its `End`, or with None if it has no body. A number that is no `End` is in no table."""

ANSWERS: Mapping[tuple[Answer, Step], Answer] = {
    (Answer.AWAITED, (Response, End.MORE)): Answer.BODY,
    (Answer.AWAITED, (Response, End.BODY)): Answer.CLOSING,
    (Answer.AWAITED, (Response, End.STREAM)): Answer.OVER,
    (Answer.BODY, (Data, End.MORE)): Answer.BODY,
    (Answer.BODY, (Data, End.BODY)): Answer.CLOSING,
    (Answer.BODY, (Data, End.STREAM)): Answer.OVER,
    (Answer.BODY, (Stored, End.MORE)): Answer.BODY,
    (Answer.BODY, (Stored, End.BODY)): Answer.CLOSING,
    (Answer.BODY, (Stored, End.STREAM)): Answer.OVER,
    (Answer.CLOSING, (Closed, None)): Answer.OVER,
    (Answer.AWAITED, (Failed, None)): Answer.OVER,
    (Answer.BODY, (Failed, None)): Answer.OVER,
    (Answer.CLOSING, (Failed, None)): Answer.OVER,
}

CANCELLED_ANSWERS: Mapping[tuple[Answer, Step], Answer] = {
    **ANSWERS,
    (Answer.AWAITED, (Closed, None)): Answer.OVER,
    (Answer.BODY, (Closed, None)): Answer.OVER,
}
"""After a `Cancel`, the worker may also close the stream without a complete answer."""

BODIES: Mapping[tuple[Body, Step], Body] = {
    (Body.OPEN, (Data, End.MORE)): Body.OPEN,
    (Body.OPEN, (Data, End.BODY)): Body.COMPLETE,
}

ARGUMENTS: Mapping[tuple[Body, int], Body] = {
    (Body.OPEN, End.MORE): Body.OPEN,
    (Body.OPEN, End.BODY): Body.COMPLETE,
}
"""By the `End` of a `Call` or an `Argument`."""

REPLIES: Mapping[tuple[Item, Step], Item] = {
    (Item.BETWEEN, (Reply, End.MORE)): Item.WITHIN,
    (Item.BETWEEN, (Reply, End.BODY)): Item.BETWEEN,
    (Item.WITHIN, (Reply, End.MORE)): Item.WITHIN,
    (Item.WITHIN, (Reply, End.BODY)): Item.BETWEEN,
    (Item.BETWEEN, (Answered, None)): Item.OVER,
    (Item.BETWEEN, (Refused, None)): Item.OVER,
    (Item.WITHIN, (Refused, None)): Item.OVER,
}
"""A reply may begin before the arguments are complete; mostly that is a refusal."""
