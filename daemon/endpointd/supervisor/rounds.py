"""What is found when the workers that answer are looked at, about once a second: those that are stuck, those that have
served their time, and a plugin that has nothing to do."""

from dataclasses import dataclass

from endpointd.supervisor.crew import Member, Team
from endpointd.supervisor.idling import Idling
from endpointd.supervisor.recycling import Bounds
from endpointd.supervisor.rules import Rules
from endpointd.supervisor.usage import usage_of


@dataclass(frozen=True, slots=True)
class Worn:
    """The worker is to be renewed; `because` it has served its time, or None: a request does not leave its thread."""

    member: Member
    because: str | None


class Rounds:
    def __init__(self) -> None:
        self._idling = Idling()

    def is_idle(self, team: Team, rules: Rules, queued: int, now: float) -> bool:
        """Whether a plugin that runs on demand has had nothing to do for long enough; `queued` requests wait."""
        if not rules.on_demand:
            return False
        workers = [member.worker for member in team.ready]
        busy = queued > 0 or any(worker.is_busy for worker in workers)
        requests = sum(worker.requests for worker in workers)
        return self._idling.is_over(team, requests, rules.idle_stop, now, busy=busy)


def find_worn(team: Team, bounds: Bounds, now: float) -> Worn | None:
    """The first one that is to be renewed: they are, one after the other."""
    for member in team.ready:
        if member.stuck:
            return Worn(member, None)
        if (reason := _wear(member, bounds.spread(member.chance), now)) is not None:
            return Worn(member, reason)
    return None


def _wear(member: Member, bounds: Bounds, now: float) -> str | None:
    """Why the worker has served its time; None when it may go on."""
    assert member.ready_at is not None
    worker = member.worker
    memory = usage.memory if bounds.memory and (usage := usage_of(worker.pid or 0)) else None
    return bounds.exceeded(worker.requests, now - member.ready_at, memory)
