"""When the watchdog is fed, and when it is not."""

import pytest

from endpointd.systemd.manager import summary
from endpointd.systemd.watchdog import Pulse, allowance


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "30000000"}, 30),
        ({"WATCHDOG_USEC": "500000", "WATCHDOG_PID": "7"}, 0.5),
        ({"WATCHDOG_USEC": "500000", "WATCHDOG_PID": "8"}, None),
    ],
)
def test_whom_the_manager_watches(environment: dict[str, str], seconds: float | None) -> None:
    assert allowance(environment, 7) == seconds


@pytest.mark.parametrize(("allowed", "period"), [(None, 1), (30, 1), (2, 0.5), (0.4, 0.1)])
def test_it_is_looked_after_often_enough(allowed: float | None, period: float) -> None:
    assert Pulse(allowed).period == period


def test_a_loop_that_keeps_its_times_is_well() -> None:
    pulse = Pulse(8)
    assert [pulse.beat(now) for now in (100, 101, 102.5, 103)] == [None] * 4


def test_a_late_look_is_no_sign_of_life() -> None:
    pulse = Pulse(8)
    assert [pulse.beat(now) for now in (100, 106, 107, 113)] == [None, 5, None, 5]


@pytest.mark.parametrize(
    ("states", "text"),
    [
        ([], "0 plugins run"),
        (["RUNNING"], "1 plugin runs"),
        (["SLEEPING", "RUNNING", "SLEEPING"], "1 plugin runs, 2 sleep"),
        (["FATAL", *["RUNNING"] * 12], "12 plugins run, 1 failed"),
        (["BACKOFF", "BUILDING", "REFUSED", "STOPPED"], "0 plugins run, 2 not running yet, 1 refused, 1 stopped"),
    ],
)
def test_how_the_plugins_fare_in_a_line(states: list[str], text: str) -> None:
    assert summary(states) == text
