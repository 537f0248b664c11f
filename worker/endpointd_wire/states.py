"""When a message may be said: tables and nothing else.

`PHASES` orders the life of a connection, `ANSWERS` the worker's half of a stream and `BODIES` the host's, `ARGUMENTS`
the worker's half of a call and `REPLIES` the host's. The tables know neither role nor clock: both sides apply the same
row, the one when it sends and the other when it receives.
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
    """An enumeration whose members are looked up in tables for every message: they are hashed by identity, as they are
    compared, and not by name in Python code."""

    __hash__ = object.__hash__


class Phase(Symbol):
    NEW = "new"
    """Nothing was said."""
    GREETED = "greeted"
    """The worker has said hello."""
    LOADING = "loading"
    """The host has named the plugin; its code is being imported."""
    OPEN = "open"
    """Requests may come."""
    DRAINING = "draining"
    """No request may come; the open streams go on."""
    ENDED = "ended"
    """Nothing may be said."""


class Answer(Symbol):
    AWAITED = "awaited"
    """No head yet."""
    BODY = "body"
    """The head was sent, the body goes on."""
    CLOSING = "closing"
    """The body is complete, the worker's thread is not free yet."""
    OVER = "over"


class Body(Symbol):
    OPEN = "open"
    COMPLETE = "complete"


class Item(Symbol):
    BETWEEN = "between items"
    WITHIN = "within an item"
    OVER = "over"


CALL_MESSAGES = frozenset({Call, Argument, Reply, CallCredit, Answered, Refused, Abandon})

HOST_SAYS = frozenset({Memory, Load, Request, Data, Credit, Cancel, Ping, Drain, Reply, CallCredit, Answered, Refused})
WORKER_SAYS = frozenset(
    {Hello, Ready, LoadFailed, Response, Data, Stored, Credit, Closed, Failed, Pong, Drained, Log}
    | {Call, Argument, CallCredit, Abandon},
)

PHASES: Mapping[tuple[Phase, type[Message]], Phase] = {
    (Phase.NEW, Hello): Phase.GREETED,
    # The host does not wait for the greeting with it, and the worker greets before it listens.
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
"""What is not here may not be said in that phase."""


def speech(said: Collection[type[Message]]) -> dict[Phase, dict[type[Message], Phase]]:
    """What of `said` may be said in each phase, and the phase that follows."""
    return {phase: {kind: PHASES[phase, kind] for kind in said if (phase, kind) in PHASES} for phase in Phase}


HOST_SPEECH = speech(HOST_SAYS)
WORKER_SPEECH = speech(WORKER_SAYS)

Step: TypeAlias = tuple[type[Message], int | None]
"""A message, and the `End` that it tells if it is one with a body. Any other number is in no table."""

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
"""After a cancel the worker may also give up without an answer."""

BODIES: Mapping[tuple[Body, Step], Body] = {
    (Body.OPEN, (Data, End.MORE)): Body.OPEN,
    (Body.OPEN, (Data, End.BODY)): Body.COMPLETE,
}

ARGUMENTS: Mapping[tuple[Body, int], Body] = {
    (Body.OPEN, End.MORE): Body.OPEN,
    (Body.OPEN, End.BODY): Body.COMPLETE,
}
"""What `Call` begins and `Argument` goes on with."""

REPLIES: Mapping[tuple[Item, Step], Item] = {
    (Item.BETWEEN, (Reply, End.MORE)): Item.WITHIN,
    (Item.BETWEEN, (Reply, End.BODY)): Item.BETWEEN,
    (Item.WITHIN, (Reply, End.MORE)): Item.WITHIN,
    (Item.WITHIN, (Reply, End.BODY)): Item.BETWEEN,
    (Item.BETWEEN, (Answered, None)): Item.OVER,
    (Item.BETWEEN, (Refused, None)): Item.OVER,
    (Item.WITHIN, (Refused, None)): Item.OVER,
}
"""A reply may begin before the arguments are complete: with a refusal, mostly."""
