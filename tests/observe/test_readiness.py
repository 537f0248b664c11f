"""When the daemon says that it is ready."""

import pytest

from endpointd.observe.readiness import Judge
from endpointd.settings.types import ReadyPolicy


def begun() -> Judge:
    judge = Judge()
    judge.begin()
    return judge


@pytest.mark.parametrize(
    ("policy", "states", "ready"),
    [
        ("started", [], True),
        ("started", ["RUNNING", "FATAL", "REFUSED", "BACKOFF", "STOPPED"], True),
        ("started", ["RUNNING", "STARTING"], False),
        ("settled", ["RUNNING", "BUILDING"], False),
        ("settled", ["RUNNING", "FATAL"], True),
        ("running", ["RUNNING", "STOPPED", "DRAINING"], True),
        ("running", ["RUNNING", "SLEEPING"], True),
        ("started", ["SLEEPING"], True),
        ("running", ["RUNNING", "BACKOFF"], False),
        ("running", ["RUNNING", "STARTING"], False),
    ],
)
def test_by_policy(policy: ReadyPolicy, states: list[str], ready: bool) -> None:
    found = begun().judge(policy, states)
    assert found.ready is ready
    assert found.page()[0] == (200 if ready else 503)


def test_who_is_woken_by_a_request_takes_nobody_out_of_service() -> None:
    found = begun().judge("running", ["RUNNING", "SLEEPING", "STARTING"], waking=1)
    assert (found.ready, found.text) == (True, "ready: 1 running, 2 sleeping, 0 starting, 0 broken")
    assert not begun().judge("running", ["STARTING", "STARTING"], waking=1).ready


def test_what_comes_after_the_start_keeps_nobody_waiting() -> None:
    judge = begun()
    assert judge.judge("started", ["RUNNING"]).ready
    assert judge.judge("started", ["RUNNING", "BUILDING"]).ready
    assert not judge.judge("settled", ["RUNNING", "BUILDING"]).ready


def test_not_before_the_plugins_were_found_and_not_at_the_end() -> None:
    judge = Judge()
    assert not judge.judge("started", []).ready
    judge.begin()
    assert judge.judge("started", []).ready
    judge.end()
    assert not judge.judge("started", ["RUNNING"]).ready
