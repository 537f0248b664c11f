"""The life of a worker, walked: every event in every state, and how often it may fail before it is given up.

What is intended is drawn here a second time, as a grid: a state and what is to be done, `=` for no effect, `-` for an
event that cannot come.
"""

import pytest

from endpointd.supervisor.state import (
    FAILURES,
    TABLE,
    WITHOUT_EFFECT,
    Action,
    Event,
    IllegalTransition,
    Life,
    Policy,
    State,
    step,
)

GRID = """
             start           stop           ready    refused  failed        hung                   wake            stable   ended
    STOPPED  STARTING:SPAWN  =              -        -        -             =                      =               =        -
    STARTING =               DRAINING:KILL  RUNNING  FATAL    BACKOFF:WAIT  =                      =               =        -
    RUNNING  =               DRAINING:DRAIN -        -        BACKOFF:WAIT  STARTING:RETIRE,SPAWN  =               RUNNING  -
    DRAINING -               =              =        =        =             =                      =               =        STOPPED
    BACKOFF  STARTING:SPAWN  STOPPED        -        -        -             =                      STARTING:SPAWN  =        -
    FATAL    STARTING:SPAWN  STOPPED        -        -        -             =                      =               =        -
"""  # noqa: E501

POLICY = Policy(limit=3, stable_after=10.0)
NOW = 1000.0


def cells() -> list[tuple[State, Event, str]]:
    head, *rows = (line.split() for line in GRID.strip().splitlines())
    return [(State(row[0]), Event(event), cell) for row in rows for event, cell in zip(head, row[1:], strict=True)]


def live(life: Life, *events: tuple[Event, float], policy: Policy = POLICY) -> Life:
    """What `life` is after events, each some seconds after the one before."""
    now = life.since
    for event, seconds in events:
        now += seconds
        life, _ = step(life, event, now, policy)
    return life


def test_the_grid_has_every_event_in_every_state() -> None:
    assert [(state, event) for state, event, _ in cells()] == [(state, event) for state in State for event in Event]


@pytest.mark.parametrize(("state", "event", "cell"), cells())
def test_an_event_has_its_effect(state: State, event: Event, cell: str) -> None:
    life = Life(state, since=NOW, failures=0)
    if cell == "-":
        assert (state, event) not in TABLE
        with pytest.raises(IllegalTransition, match=f"{event.value} in {state.value}"):
            step(life, event, NOW + 1, POLICY)
    elif cell == "=":
        assert step(life, event, NOW + 1, POLICY) == (life, ())
    else:
        target, _, actions = cell.partition(":")
        after, to_do = step(life, event, NOW + 1, POLICY)
        assert (after.state, to_do) == (State(target), tuple(Action[name] for name in actions.split(",") if name))
        assert after.since == (NOW if after.state is state else NOW + 1)


def test_no_pair_is_in_both_tables() -> None:
    assert not WITHOUT_EFFECT & set(TABLE)


def test_a_worker_is_spawned_on_the_way_to_starting_and_nowhere_else() -> None:
    for target, actions in TABLE.values():
        assert (Action.SPAWN in actions) == (target is State.STARTING)


# Failures


STARTED = Life(State.STARTING, since=NOW)
FAIL_TO_START = ((Event.FAILED, 0.1), (Event.WAKE, 1.0))


@pytest.mark.parametrize("limit", [1, 2, 5])
def test_a_crash_loop_ends_in_fatal(limit: int) -> None:
    policy = Policy(limit, stable_after=10.0)
    before = live(STARTED, *FAIL_TO_START * (limit - 1), policy=policy)
    assert (before.state, before.failures) == (State.STARTING, limit - 1)
    after, actions = step(before, Event.FAILED, before.since, policy)
    assert (after.state, after.failures, actions) == (State.FATAL, limit, ())


def test_what_dies_young_is_in_the_loop_as_well() -> None:
    young = ((Event.READY, 0.1), (Event.FAILED, POLICY.stable_after - 0.1), (Event.WAKE, 1.0))
    assert live(STARTED, *young * 2).failures == 2
    assert live(STARTED, *young * 3).state is State.FATAL


def test_a_worker_that_was_stable_begins_anew() -> None:
    ran = live(STARTED, *FAIL_TO_START * 2, (Event.READY, 0.1), (Event.STABLE, POLICY.stable_after))
    assert (ran.state, ran.failures) == (State.RUNNING, 0)
    failed = live(ran, (Event.FAILED, POLICY.stable_after))
    assert (failed.state, failed.failures) == (State.BACKOFF, 1)


def test_a_worker_that_lived_long_enough_has_earned_it_before_the_timer_says_so() -> None:
    ran = live(STARTED, *FAIL_TO_START * 2, (Event.READY, 0.1))
    failed = live(ran, (Event.FAILED, POLICY.stable_after))
    assert (failed.state, failed.failures) == (State.BACKOFF, 1)


def test_being_stable_does_not_change_since_when_it_runs() -> None:
    ran = live(STARTED, (Event.READY, 1.0), (Event.STABLE, POLICY.stable_after))
    assert ran.since == NOW + 1.0


def test_what_cannot_be_loaded_is_fatal_at_once() -> None:
    refused = live(STARTED, (Event.REFUSED, 0.1))
    assert (refused.state, refused.failures) == (State.FATAL, 1)


def test_fatal_is_left_by_an_operator_with_all_tries() -> None:
    fatal = live(STARTED, *FAIL_TO_START * 3)
    assert fatal.state is State.FATAL
    started = live(fatal, (Event.WAKE, 100.0), (Event.START, 1.0))
    assert (started.state, started.failures) == (State.STARTING, 0)
    assert live(fatal, (Event.STOP, 1.0), (Event.START, 1.0)).failures == 0


def test_a_try_before_its_time_is_a_try() -> None:
    waiting = live(STARTED, (Event.FAILED, 0.1))
    assert live(waiting, (Event.START, 0.1)).failures == 1


def test_a_hang_is_no_failure() -> None:
    hung = live(STARTED, (Event.READY, 0.1), (Event.HUNG, 1.0))
    assert (hung.state, hung.failures) == (State.STARTING, 0)
    assert Event.HUNG not in FAILURES
