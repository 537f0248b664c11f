"""Where a plugin's requests go in each state, without a worker."""

import asyncio
from typing import Any

import pytest

from endpointd.supervisor.admission import NoPlace
from endpointd.supervisor.crew import Team
from endpointd.supervisor.reception import Reception
from endpointd.supervisor.state import Life, Stage
from support.fake_worker import order, rules
from support.virtual_time import run_in_virtual_time

NOW = 100.0
FIRST, SECOND = order("v1"), order("v2")


class Desk:
    """A reception, and what it tells and asks for."""

    def __init__(self, **changes: Any) -> None:  # noqa: ANN401 - whatever a rule is
        self.told: list[str] = []
        self.reception = Reception(
            "someone/duck",
            rules(**changes),
            lambda order: self.told.append(f"serve {order.release}"),
            lambda order: self.told.append(f"prove {order.release}"),
            lambda: self.told.append("need"),
            lambda: self.told.append("hurry"),
            lambda: NOW,
        )

    def refusal(self) -> NoPlace:
        """What a request is told that has waited as long as it may."""
        return self.reception.admission.too_late()


def test_what_is_served_is_told_once_and_what_is_proved_whenever_workers_come_or_go() -> None:
    desk = Desk()
    for team in (Team(FIRST), Team(FIRST), Team(SECOND)):
        desk.reception.follow(Life(Stage.RUNNING), team, None)
    assert desk.told == ["serve v1", "prove v1", "prove v1", "serve v2", "prove v2"]


def test_who_is_on_trial_serves_and_is_not_proved() -> None:
    desk = Desk()
    desk.reception.follow(Life(Stage.ON_TRIAL), Team(FIRST), None)
    assert desk.told == ["serve v1"]


def test_what_is_going_to_answer_is_announced_before_anybody_does() -> None:
    desk = Desk()
    desk.reception.announce(SECOND)
    desk.reception.follow(Life(Stage.RUNNING), Team(SECOND), None)
    assert desk.told == ["serve v2", "prove v2"]


def test_a_request_that_waits_in_vain_is_told_how_long_the_worker_has_been_starting() -> None:
    desk = Desk()
    desk.reception.follow(Life(Stage.STARTING, since=NOW - 7, failures=2), None, None)
    assert "starting for 7 s, after 2 failures" in desk.refusal().message


@pytest.mark.parametrize(("clock_queue", "waited"), [(10.0, 10.0), (0.0, 60.0), (4.0, 0.0)])
def test_nobody_waits_in_a_pause_that_is_longer_than_the_wait_may_be(clock_queue: float, waited: float) -> None:
    async def scenario() -> float:
        reception = Desk(clock_queue=clock_queue).reception
        reception.pause(5.0)
        reception.follow(Life(Stage.BACKOFF), None, None)
        began = asyncio.get_running_loop().time()
        with pytest.raises((NoPlace, TimeoutError)):
            async with asyncio.timeout(60):
                await reception.admission.enter()
        return asyncio.get_running_loop().time() - began

    assert run_in_virtual_time(scenario()) == pytest.approx(waited)
