"""Decides what the failure of a worker means, depending on its team and the other workers. Has no effects of its
own."""

from enum import Enum

from endpointd.supervisor.crew import Crew, Member
from endpointd.supervisor.state import Stage


class Loss(Enum):
    BORNE = "others of its team go on"
    NEXT = "the next team is given up"
    TRIAL = "the present team has not stood its trial, and the old one is there to go on"
    OVERTAKEN = "nobody is left of the present team, and somebody of the next one is ready"
    PRESENT = "nobody is left of the present team"

    @property
    def is_kept(self) -> bool:
        """Whether other workers go on serving."""
        return self in (Loss.BORNE, Loss.NEXT, Loss.TRIAL)


def loss_of(member: Member, crew: Crew, stage: Stage) -> Loss | None:
    """The kind of loss; None if the worker was not wanted any more. `member` has not been removed from its team yet."""
    team = member.team
    is_next = team is crew.next
    if member not in team.members or not (is_next or team is crew.present):
        return None
    is_on_trial = stage is Stage.ON_TRIAL
    # A new version that has yet to show that it works fails if any worker of it fails that was ready.
    has_shown = (is_next or is_on_trial) and member.ready_at is not None
    if team.is_borne(member) and not has_shown:
        return Loss.BORNE
    if is_next:
        return Loss.NEXT
    if is_on_trial:
        return Loss.TRIAL
    return Loss.OVERTAKEN if crew.next is not None and crew.next.ready else Loss.PRESENT
