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
    Stage,
    State,
    step,
)

GRID = """
          start          stop                     sleep           needed         replace                        build     built     ready   refused failed              hung                        wake           stable    ended   next-ready      next-failed  proved         old-lost
STOPPED   STARTING:SPAWN =                        SLEEPING        =              =                              -         -         -       -       -                   =                           =              =         -       -               -            =              =
SLEEPING  STARTING:SPAWN STOPPED                  =               STARTING:SPAWN STARTING:SPAWN                 -         -         -       -       -                   =                           =              =         -       -               -            =              =
BUILDING  =              DRAINING:KILL            =               =              STARTING:KILL,SPAWN            -         STARTING  -       FATAL   BACKOFF:WAIT        =                           =              =         -       -               -            =              =
STARTING  =              DRAINING:KILL            =               =              STARTING:KILL,SPAWN            BUILDING  -         RUNNING FATAL   BACKOFF:WAIT        =                           =              =         -       -               -            =              =
RUNNING   =              DRAINING:DRAIN           SLEEPING:LET_GO =              REPLACING:SPAWN_NEXT           -         -         -       -       BACKOFF:WAIT        REPLACING:SPAWN_NEXT        =              RUNNING   -       -               -            =              =
REPLACING =              DRAINING:KILL_NEXT,DRAIN =               =              REPLACING:KILL_NEXT,SPAWN_NEXT PREPARING -         -       -       STARTING:PROMOTE    =                           =              REPLACING -       ON_TRIAL:SWITCH RUNNING:KEEP =              =
PREPARING =              DRAINING:KILL_NEXT,DRAIN =               =              REPLACING:KILL_NEXT,SPAWN_NEXT -         REPLACING -       -       BUILDING:PROMOTE    =                           =              PREPARING -       -               RUNNING:KEEP =              =
ON_TRIAL  =              DRAINING:RETIRE,DRAIN    =               =              REPLACING:RETIRE,SPAWN_NEXT    -         -         -       -       RUNNING:SWITCH_BACK REPLACING:RETIRE,SPAWN_NEXT =              ON_TRIAL  -       -               -            RUNNING:RETIRE RUNNING
DRAINING  -              =                        =               =              =                              =         =         =       =       =                   =                           =              =         STOPPED -               -            =              =
BACKOFF   STARTING:SPAWN STOPPED                  =               =              STARTING:SPAWN                 -         -         -       -       -                   =                           STARTING:SPAWN =         -       -               -            =              =
FATAL     STARTING:SPAWN STOPPED                  =               =              STARTING:SPAWN                 -         -         -       -       -                   =                           =              =         -       -               -            =              =
"""  # noqa: E501

WITH_A_NEXT = (Stage.REPLACING, Stage.PREPARING)
POLICY = Policy(limit=3, stable_after=10.0)
NOW = 1000.0


def cells() -> list[tuple[Stage, Event, str]]:
    head, *rows = (line.split() for line in GRID.strip().splitlines())
    events = [Event(name.replace("-", " ")) for name in head]
    return [(Stage[row[0]], event, cell) for row in rows for event, cell in zip(events, row[1:], strict=True)]


def live(life: Life, *events: tuple[Event, float], policy: Policy = POLICY) -> Life:
    """What `life` is after events, each some seconds after the one before."""
    now = life.since
    for event, seconds in events:
        now += seconds
        life, _ = step(life, event, now, policy)
    return life


def test_the_grid_has_every_event_in_every_state() -> None:
    assert {(stage, event) for stage, event, _ in cells()} == {(stage, event) for stage in Stage for event in Event}


@pytest.mark.parametrize(("stage", "event", "cell"), cells())
def test_an_event_has_its_effect(stage: Stage, event: Event, cell: str) -> None:
    life = Life(stage, since=NOW, failures=0)
    if cell == "-":
        assert (stage, event) not in TABLE
        with pytest.raises(IllegalTransition, match=f"{event.value} in {stage.value}"):
            step(life, event, NOW + 1, POLICY)
    elif cell == "=":
        assert step(life, event, NOW + 1, POLICY) == (life, ())
    else:
        target, _, actions = cell.partition(":")
        after, to_do = step(life, event, NOW + 1, POLICY)
        assert (after.stage, to_do) == (Stage[target], tuple(Action[name] for name in actions.split(",") if name))
        assert after.since == (NOW if after.state is stage.state else NOW + 1)


def test_no_pair_is_in_both_tables() -> None:
    assert not WITHOUT_EFFECT & set(TABLE)


def test_a_worker_is_spawned_on_the_way_to_starting_and_nowhere_else() -> None:
    for (_, event), (target, actions) in TABLE.items():
        comes_anew = target is Stage.STARTING and Action.PROMOTE not in actions
        assert (Action.SPAWN in actions) == (comes_anew and event is not Event.BUILT)


def test_the_old_worker_is_retired_wherever_the_trial_ends_well_for_the_new_one() -> None:
    for (stage, event), (target, actions) in TABLE.items():
        if stage is Stage.ON_TRIAL and target is not Stage.ON_TRIAL and event not in (Event.OLD_LOST, Event.FAILED):
            assert Action.RETIRE in actions


def test_no_worker_of_three_is_forgotten() -> None:
    """Whoever leaves REPLACING or PREPARING has done something with the next worker."""
    handled = {Action.SWITCH, Action.KEEP, Action.PROMOTE, Action.KILL_NEXT}
    for (stage, _), (target, actions) in TABLE.items():
        if stage in WITH_A_NEXT and target not in WITH_A_NEXT:
            assert handled & set(actions)


# Failures


STARTED = Life(Stage.STARTING, since=NOW)
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
    assert (hung.stage, hung.state, hung.failures) == (Stage.REPLACING, State.RUNNING, 0)
    assert Event.HUNG not in FAILURES


def test_a_worker_that_was_put_to_sleep_begins_anew_unless_it_is_woken_soon() -> None:
    slept = live(STARTED, *FAIL_TO_START * 2, (Event.READY, 0.1), (Event.SLEEP, 1.0))
    assert (slept.state, slept.failures) == (State.SLEEPING, 2)
    assert live(slept, (Event.NEEDED, 1.0)).failures == 2
    assert live(slept, (Event.NEEDED, POLICY.stable_after)).failures == 0


# Replacement


RAN = live(STARTED, (Event.READY, 0.1), (Event.STABLE, POLICY.stable_after))


def test_a_plugin_runs_all_through_a_replacement() -> None:
    life = RAN
    for event in (Event.REPLACE, Event.NEXT_READY, Event.PROVED):
        life, _ = step(life, event, life.since + 1, POLICY)
        assert life.state is State.RUNNING
    assert life.stage is Stage.RUNNING
    assert life.since == RAN.since


def test_what_fails_beside_a_worker_that_answers_is_no_failure_of_the_plugin() -> None:
    assert live(RAN, *((Event.REPLACE, 1.0), (Event.NEXT_FAILED, 1.0)) * 20).failures == 0
    after = live(RAN, *((Event.REPLACE, 1.0), (Event.NEXT_READY, 1.0), (Event.FAILED, 0.1)) * 20)
    assert (after.stage, after.since, after.failures) == (RAN.stage, RAN.since, 0)


def test_a_worker_that_took_over_earns_its_trust_anew() -> None:
    replaced = live(RAN, (Event.REPLACE, 1000.0), (Event.NEXT_READY, 1.0), (Event.PROVED, 1.0))
    assert replaced.served_since > RAN.served_since
    young = live(RAN, *((Event.FAILED, 100.0), (Event.WAKE, 1.0), (Event.READY, 0.1)))
    assert live(young, (Event.REPLACE, 0.1), (Event.NEXT_READY, 0.1), (Event.PROVED, 1.0)).failures == 0


def test_a_change_gives_all_tries_again() -> None:
    fatal = live(STARTED, *FAIL_TO_START * 3)
    changed = live(fatal, (Event.REPLACE, 1.0))
    assert (changed.stage, changed.failures) == (Stage.STARTING, 0)
    assert live(STARTED, (Event.FAILED, 0.1), (Event.REPLACE, 0.1)).failures == 0


def test_who_has_stopped_a_plugin_does_not_start_it_by_changing_it() -> None:
    assert live(RAN, (Event.STOP, 1.0), (Event.ENDED, 1.0), (Event.REPLACE, 1.0)).stage is Stage.STOPPED
