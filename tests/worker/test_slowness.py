"""Which sources count as slow, and for how long."""

import pytest

from endpointd_worker.slowness import FIRST_PERIOD, LONGEST_PERIOD, SLOW, SLOW_RUNS, SlowSources

SOURCE, OTHER = 1, 2


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def slow(clock: Clock) -> SlowSources:
    return SlowSources(clock)


def run_slowly(slow: SlowSources, times: int) -> None:
    for _ in range(times):
        slow.note(SOURCE, 2 * SLOW)


def period(slow: SlowSources, clock: Clock) -> float:
    """How long the source is slow from now on, to a hundredth of a second."""
    steps = 0
    while slow.is_slow(SOURCE):
        clock.now += 0.01
        steps += 1
    return steps * 0.01


def test_a_source_is_slow_after_as_many_slow_runs_in_a_row(slow: SlowSources) -> None:
    run_slowly(slow, SLOW_RUNS - 1)
    assert not slow.is_slow(SOURCE)
    run_slowly(slow, 1)
    assert slow.is_slow(SOURCE)
    assert not slow.is_slow(OTHER)


def test_a_quick_run_begins_the_count_anew(slow: SlowSources) -> None:
    for _ in range(3):
        run_slowly(slow, SLOW_RUNS - 1)
        slow.note(SOURCE, SLOW)
    assert not slow.is_slow(SOURCE)


def test_one_source_does_not_count_for_another(slow: SlowSources) -> None:
    for _ in range(SLOW_RUNS - 1):
        slow.note(SOURCE, 2 * SLOW)
        slow.note(OTHER, 2 * SLOW)
    assert not slow.is_slow(SOURCE)
    assert not slow.is_slow(OTHER)


def test_a_source_is_tried_again_after_ever_longer_periods(slow: SlowSources, clock: Clock) -> None:
    run_slowly(slow, SLOW_RUNS)
    assert period(slow, clock) == pytest.approx(FIRST_PERIOD, abs=0.02)
    for doubled in (2, 4, 8):
        run_slowly(slow, 1)
        assert period(slow, clock) == pytest.approx(doubled * FIRST_PERIOD, abs=0.02)
    for _ in range(5):
        run_slowly(slow, 1)
        last = period(slow, clock)
    assert last == pytest.approx(LONGEST_PERIOD, abs=0.02)


def test_a_source_that_has_become_quick_is_as_new(slow: SlowSources, clock: Clock) -> None:
    run_slowly(slow, SLOW_RUNS)
    period(slow, clock)
    run_slowly(slow, 1)
    period(slow, clock)
    slow.note(SOURCE, 0)
    run_slowly(slow, SLOW_RUNS - 1)
    assert not slow.is_slow(SOURCE)
    run_slowly(slow, 1)
    assert period(slow, clock) == pytest.approx(FIRST_PERIOD, abs=0.02)
