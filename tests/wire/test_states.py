"""The tables, walked: every message in every phase, every step in every state of an answer and of a body.

What is intended is drawn here a second time, as grids; the ends of a real conversation are held against them.
"""

import pytest

from endpointd_wire.errors import LocalWireError, RemoteWireError
from endpointd_wire.flow import WINDOW
from endpointd_wire.frames import MAX_PIECE
from endpointd_wire.memory import LARGE
from endpointd_wire.messages import (
    MESSAGE_TYPES,
    Abandon,
    Answered,
    Argument,
    CallCredit,
    Cancel,
    Closed,
    Credit,
    Data,
    Drain,
    Drained,
    End,
    Failed,
    LoadFailed,
    Log,
    Memory,
    Message,
    Ping,
    Pong,
    Refused,
    Reply,
    Response,
    Stored,
)
from endpointd_wire.states import CALL_MESSAGES, HOST_SAYS, WORKER_SAYS, Answer, Body, Item, Phase
from support.connection_pair import HELLO, LOAD, READY, ConnectionPair, a_call, a_request, frame_of

PHASES = """
              new      greeted  loading  open      draining  ended
    Hello     greeted  -        -        -         -         -
    Memory    new      greeted  -        -         -         -
    Load      -        loading  -        -         -         -
    Ready     -        -        open     -         -         -
    LoadFailed -       -        ended    -         -         -
    Request   -        -        -        open      -         -
    Response  -        -        -        open      draining  -
    Data      -        -        -        open      draining  -
    Stored    -        -        -        open      draining  -
    Credit    -        -        -        open      draining  -
    Cancel    -        -        -        open      draining  -
    Closed    -        -        -        open      draining  -
    Failed    -        -        -        open      draining  -
    Ping      -        -        loading  open      draining  -
    Pong      -        -        loading  open      draining  -
    Drain     -        -        -        draining  -         -
    Drained   -        -        -        -         ended     -
    Log       -        -        loading  open      draining  -
    Call      -        -        -        open      draining  -
    Argument  -        -        -        open      draining  -
    Reply     -        -        -        open      draining  -
    CallCredit -       -        -        open      draining  -
    Answered  -        -        -        open      draining  -
    Refused   -        -        -        open      draining  -
    Abandon   -        -        -        open      draining  -
"""

ANSWERS = """
                    awaited  body     closing
    Response.MORE   body     -        -
    Response.BODY   closing  -        -
    Response.STREAM over     -        -
    Data.MORE       -        body     -
    Data.BODY       -        closing  -
    Data.STREAM     -        over     -
    Stored.MORE     -        body     -
    Stored.BODY     -        closing  -
    Stored.STREAM   -        over     -
    Closed          -        -        over
    Failed          over     over     over
"""

AFTER_CANCEL = ANSWERS.replace("Closed          -        -      ", "Closed          over     over   ")

BODIES = """
                open      complete
    Data.MORE   open      -
    Data.BODY   complete  -
    Data.STREAM -         -
"""

ARGUMENTS = """
                  open      complete
    Argument.MORE open      -
    Argument.BODY complete  -
    Argument.STREAM -       -
"""

REPLIES = """
                  between   within
    Reply.MORE    within    within
    Reply.BODY    between   between
    Reply.STREAM  -         -
    Answered      over      -
    Refused       over      over
    Abandon       over      over
"""

SAMPLES: dict[str, Message] = {
    "Hello": HELLO,
    "Load": LOAD,
    "Ready": READY,
    "LoadFailed": LoadFailed(()),
    "Request": a_request(2),
    "Response": Response(1, 200, (), End.MORE, b""),
    "Memory": Memory(),
    "Data": Data(1, End.MORE, b""),
    "Stored": Stored(1, End.MORE, 0, LARGE),
    "Credit": Credit(1, 1),
    "Cancel": Cancel(1, "test"),
    "Closed": Closed(1),
    "Failed": Failed(1, "exception", ""),
    "Ping": Ping(1),
    "Pong": Pong(1),
    "Drain": Drain(),
    "Drained": Drained(),
    "Log": Log(20, "duck", "quack", ""),
    "Call": a_call(2),
    "Argument": Argument(1, End.MORE, b""),
    "Reply": Reply(1, End.MORE, b""),
    "CallCredit": CallCredit(1, 1),
    "Answered": Answered(1),
    "Refused": Refused(1, "failed", "test"),
    "Abandon": Abandon(1),
}


OF_STREAMS = {"Response", "Data", "Stored", "Credit", "Cancel", "Closed", "Failed"}


def cells(grid: str) -> list[tuple[str, str, str]]:
    """(row, column, what is there) of each cell."""
    head, *rows = (line.split() for line in grid.strip().splitlines())
    return [(row[0], column, cell) for row in rows for column, cell in zip(head, row[1:], strict=True)]


def step_message(step: str) -> Message:
    kind, _, end = step.partition(".")
    sample = SAMPLES[kind]
    return (
        sample._replace(end=End[end])
        if end and isinstance(sample, Response | Data | Stored | Argument | Reply)
        else sample
    )


def assert_allowed(pair: ConnectionPair, message: Message, *, by_host: bool) -> None:
    heard = pair.host_says(message) if by_host else pair.worker_says(message)
    assert heard in ([message], [])


def assert_refused(pair: ConnectionPair, message: Message, *, by_host: bool) -> None:
    """By the one who would say it, with nothing changed; and by the one who hears it, for good."""
    speaker, listener = (pair.host, pair.worker) if by_host else (pair.worker, pair.host)
    before = repr(speaker)
    with pytest.raises(LocalWireError):
        speaker.send(message)
    assert repr(speaker) == before
    for data in (frame_of(message), b"", frame_of(SAMPLES["Ping"])):
        with pytest.raises(RemoteWireError):
            listener.receive(data)
    with pytest.raises(LocalWireError, match="the connection is over"):
        listener.send(SAMPLES["Pong" if by_host else "Ping"])


# Phases


def in_phase(phase: Phase, kind: str, *, by_host: bool) -> ConnectionPair:
    """A pair in `phase`, with a stream on which `kind` can be said where there can be one."""
    pair = ConnectionPair()
    pair.reach(phase if phase in (Phase.NEW, Phase.GREETED, Phase.LOADING) else Phase.OPEN)
    if phase in (Phase.OPEN, Phase.DRAINING) and kind in OF_STREAMS:
        pair.host_says(a_request(1, End.MORE, b"x"))
        if kind in ("Data", "Stored", "Closed", "Credit") and not (kind == "Data" and by_host):
            pair.worker_says(Response(1, 200, (), End.BODY if kind == "Closed" else End.MORE, b"x"))
    if phase in (Phase.OPEN, Phase.DRAINING) and type(SAMPLES[kind]) in CALL_MESSAGES:
        pair.worker_says(a_call(1, End.MORE))
        if kind == "CallCredit" and not by_host:
            pair.host_says(Reply(1, End.BODY, b"x"))
    if phase in (Phase.DRAINING, Phase.ENDED):
        pair.host_says(Drain())
    if phase is Phase.ENDED:
        pair.worker_says(Drained())
    assert pair.host.phase is phase
    return pair


def speakers(kind: str) -> list[bool]:
    sample = type(SAMPLES[kind])
    return [by_host for by_host, says in ((True, HOST_SAYS), (False, WORKER_SAYS)) if sample in says]


def test_the_grid_has_every_message_and_every_phase() -> None:
    assert {(row, column) for row, column, _ in cells(PHASES)} == {
        (kind.__name__, phase.value) for kind in MESSAGE_TYPES for phase in Phase
    }
    assert {kind.__name__ for kind in HOST_SAYS | WORKER_SAYS} == set(SAMPLES)


@pytest.mark.parametrize(("kind", "phase", "following"), cells(PHASES))
def test_a_message_has_its_phases(kind: str, phase: str, following: str) -> None:
    for by_host in speakers(kind):
        pair = in_phase(Phase(phase), kind, by_host=by_host)
        if following == "-":
            assert_refused(pair, SAMPLES[kind], by_host=by_host)
        else:
            assert_allowed(pair, SAMPLES[kind], by_host=by_host)
            assert pair.host.phase is Phase(following)


@pytest.mark.parametrize("kind", SAMPLES)
def test_nobody_says_what_the_other_is_to_say(kind: str) -> None:
    for by_host in {True, False} - set(speakers(kind)):
        assert_refused(ConnectionPair.opened(), SAMPLES[kind], by_host=by_host)


def test_only_data_and_credit_are_said_by_both() -> None:
    assert {Data, Credit, CallCredit} == HOST_SAYS & WORKER_SAYS


def test_the_last_word_is_not_said_while_a_stream_is_open() -> None:
    pair = ConnectionPair.opened()
    pair.host_says(a_request(1), Drain())
    assert_refused(pair, Drained(), by_host=False)


def test_the_last_word_is_not_said_while_a_call_is_open() -> None:
    pair = ConnectionPair.opened()
    pair.worker_says(a_call(1))
    pair.host_says(Drain())
    assert_refused(pair, Drained(), by_host=False)


# Answers


def with_answer(state: Answer, *, cancelled: bool) -> ConnectionPair:
    pair = ConnectionPair.opened()
    pair.host_says(a_request(1))
    if state is not Answer.AWAITED:
        pair.worker_says(Response(1, 200, (), End.MORE if state is Answer.BODY else End.BODY, b""))
    if cancelled:
        pair.host_says(Cancel(1, "test"))
    return pair


def test_the_grid_has_every_step_of_an_answer() -> None:
    ended = {f"{kind}.{end.name}" for kind in ("Response", "Data", "Stored") for end in End}
    states = {state.value for state in Answer} - {"over"}
    assert {(row, column) for row, column, _ in cells(ANSWERS)} == {
        (step, state) for step in ended | {"Closed", "Failed"} for state in states
    }
    assert AFTER_CANCEL != ANSWERS


@pytest.mark.parametrize("cancelled", [False, True])
@pytest.mark.parametrize("place", range(len(cells(ANSWERS))))
def test_an_answer_has_its_order(place: int, cancelled: bool) -> None:
    step, state, following = cells(AFTER_CANCEL if cancelled else ANSWERS)[place]
    pair = with_answer(Answer(state), cancelled=cancelled)
    message = step_message(step)
    if following == "-":
        assert_refused(pair, message, by_host=False)
        return
    heard = pair.worker_says(message)
    assert pair.host.is_open(1) == (following != "over")
    # The host has to free what was stored, even if it is of no use any more.
    is_of_interest = not cancelled or following == "over" or isinstance(message, Stored)
    assert heard == ([message] if is_of_interest else [])
    if following != "over":
        assert_same_as(pair, Answer(following), cancelled=cancelled)


def assert_same_as(pair: ConnectionPair, state: Answer, *, cancelled: bool) -> None:
    """The pair is where one that was led there directly is: the same steps are open."""
    for step, column, following in cells(AFTER_CANCEL if cancelled else ANSWERS):
        if column == state.value and following == "over":
            pair.worker_says(step_message(step))
            return
    raise AssertionError(f"nothing leads out of {state}")


@pytest.mark.parametrize("size", [-1, 0, LARGE - 1, MAX_PIECE + 1, WINDOW + 1])
def test_what_was_stored_is_neither_small_nor_more_than_a_piece(size: int) -> None:
    pair = with_answer(Answer.BODY, cancelled=False)
    assert_refused(pair, Stored(1, End.MORE, 0, size), by_host=False)


def test_what_was_stored_takes_of_the_window() -> None:
    pair = with_answer(Answer.BODY, cancelled=False)
    pieces = [Stored(1, End.MORE, number * MAX_PIECE, MAX_PIECE) for number in range(WINDOW // MAX_PIECE)]
    assert pair.worker_says(*pieces) == pieces
    assert_refused(pair, Stored(1, End.MORE, 0, LARGE), by_host=False)


# Bodies of requests


def test_the_grid_has_every_step_of_a_body() -> None:
    assert {(row, column) for row, column, _ in cells(BODIES)} == {
        (f"Data.{end.name}", body.value) for end in End for body in Body
    }


@pytest.mark.parametrize(("step", "state", "following"), cells(BODIES))
def test_a_body_has_its_order(step: str, state: str, following: str) -> None:
    pair = ConnectionPair.opened()
    pair.host_says(a_request(1, End.MORE if state == "open" else End.BODY))
    if following == "-":
        assert_refused(pair, step_message(step), by_host=True)
        return
    pair.host_says(step_message(step))
    last = Data(1, End.BODY, b"")
    if following == "open":
        assert pair.host_says(last) == [last]
    else:
        assert_refused(pair, last, by_host=True)


@pytest.mark.parametrize("end", [End.STREAM, 3, -1])
def test_a_request_does_not_end_otherwise(end: int) -> None:
    pair = ConnectionPair.opened()
    assert_refused(pair, a_request(1)._replace(end=end), by_host=True)


@pytest.mark.parametrize("end", [3, -1, WINDOW])
def test_an_answer_does_not_end_otherwise(end: int) -> None:
    pair = with_answer(Answer.AWAITED, cancelled=False)
    assert_refused(pair, Response(1, 200, (), end, b""), by_host=False)


# Calls


def with_arguments(state: Body) -> ConnectionPair:
    pair = ConnectionPair.opened()
    pair.worker_says(a_call(1, End.MORE if state is Body.OPEN else End.BODY))
    return pair


def with_reply(state: Item) -> ConnectionPair:
    pair = with_arguments(Body.COMPLETE)
    if state is Item.WITHIN:
        pair.host_says(Reply(1, End.MORE, b"x"))
    return pair


def test_the_grids_have_every_step_of_a_call() -> None:
    assert {row for row, *_ in cells(ARGUMENTS)} == {f"Argument.{end.name}" for end in End}
    ends = {"Answered", "Refused", "Abandon"}
    assert {row for row, *_ in cells(REPLIES)} == {f"Reply.{end.name}" for end in End} | ends


@pytest.mark.parametrize(("step", "state", "following"), cells(ARGUMENTS))
def test_a_calls_arguments_take_their_steps(step: str, state: str, following: str) -> None:
    pair = with_arguments(Body(state))
    if following == "-":
        assert_refused(pair, step_message(step), by_host=False)
        return
    assert_allowed(pair, step_message(step), by_host=False)
    # It goes on exactly when it is open.
    if following == "open":
        assert_allowed(pair, SAMPLES["Argument"], by_host=False)
    else:
        assert_refused(pair, SAMPLES["Argument"], by_host=False)


@pytest.mark.parametrize(("step", "column", "following"), cells(REPLIES))
def test_a_reply_takes_its_steps(step: str, column: str, following: str) -> None:
    pair = with_reply(Item.WITHIN if column == "within" else Item.BETWEEN)
    by_host = step != "Abandon"
    if following == "-":
        assert_refused(pair, step_message(step), by_host=by_host)
        return
    assert_allowed(pair, step_message(step), by_host=by_host)
    assert (1 in pair.host.calls) == (1 in pair.worker.calls) == (following != "over")
    if following == "within":
        assert_refused(pair, Answered(1), by_host=True)
    elif following == "between":
        assert_allowed(pair, Answered(1), by_host=True)
