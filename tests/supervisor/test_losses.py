"""What it comes to when a worker fails: whose it was, and who is left."""

from typing import cast

import pytest

from endpointd.supervisor.crew import Crew, Member, Team
from endpointd.supervisor.losses import Loss, loss_of
from endpointd.supervisor.news import Voice
from endpointd.supervisor.state import Stage
from endpointd.supervisor.worker import Worker
from support.fake_worker import order

READY, STARTING = 1.0, None


def team(*members: float | None) -> Team:
    """One with a member for each, by when it became ready."""
    made = Team(order("v1"))
    nobody, nothing = cast("Worker", None), cast("Voice", None)
    made.members = [Member(nobody, 0.0, made, nothing, ready_at=ready_at) for ready_at in members]
    return made


def crew(present: Team | None = None, following: Team | None = None, old: Team | None = None) -> Crew:
    made = Crew()
    made.present, made.next, made.old = present, following, old
    return made


@pytest.mark.parametrize(
    ("present", "following", "stage", "loss"),
    [
        ([READY], [], Stage.RUNNING, Loss.PRESENT),
        ([STARTING], [], Stage.STARTING, Loss.PRESENT),
        ([READY, STARTING], [], Stage.RUNNING, Loss.PRESENT),
        ([READY, READY], [], Stage.RUNNING, Loss.BORNE),
        ([STARTING, READY], [], Stage.RUNNING, Loss.BORNE),
        ([READY], [STARTING], Stage.REPLACING, Loss.PRESENT),
        ([READY], [STARTING, READY], Stage.REPLACING, Loss.OVERTAKEN),
        ([READY, READY], [READY], Stage.REPLACING, Loss.BORNE),
        ([READY], [], Stage.ON_TRIAL, Loss.TRIAL),
        ([READY, READY], [], Stage.ON_TRIAL, Loss.TRIAL),
        ([STARTING, READY], [], Stage.ON_TRIAL, Loss.BORNE),
    ],
)
def test_the_first_of_the_present_team_fails(
    present: list[float | None], following: list[float | None], stage: Stage, loss: Loss
) -> None:
    mine = team(*present)
    assert loss_of(mine.members[0], crew(mine, team(*following) if following else None), stage) is loss


@pytest.mark.parametrize(
    ("members", "loss"),
    [([STARTING], Loss.NEXT), ([READY], Loss.NEXT), ([READY, READY], Loss.NEXT), ([STARTING, READY], Loss.BORNE)],
)
def test_the_first_of_the_next_team_fails(members: list[float | None], loss: Loss) -> None:
    """One that was ready and has died says of the version what it would do when requests go to it."""
    mine = team(*members)
    assert loss_of(mine.members[0], crew(team(READY), mine), Stage.REPLACING) is loss


def test_whoever_is_wanted_no_more_is_no_loss() -> None:
    old, left = team(READY), team(READY, READY)
    member = left.members.pop()
    assert loss_of(old.members[0], crew(team(READY), old=old), Stage.ON_TRIAL) is None
    assert loss_of(member, crew(left), Stage.RUNNING) is None


def test_others_answer_but_when_the_present_team_is_gone() -> None:
    assert {loss for loss in Loss if not loss.is_kept} == {Loss.PRESENT, Loss.OVERTAKEN}
