"""The rounds that are made of a plugin's workers, about once a second: which of them do not answer, are stuck, or have
served their time, and whether there is anything for them to do."""

import asyncio
from dataclasses import dataclass
from typing import Any

from endpointd.exchange import Exchange
from endpointd.supervisor.admission import Admission
from endpointd.supervisor.backoff import Misses
from endpointd.supervisor.crew import Crew, Member, Team
from endpointd.supervisor.idling import Idling
from endpointd.supervisor.overseer import Overseer
from endpointd.supervisor.recycling import Bounds
from endpointd.supervisor.state import Event, Stage
from endpointd.supervisor.strength import Strength
from endpointd.supervisor.usage import usage_of
from endpointd.supervisor.worker import Worker


class Rounds:
    """`misses` are the replacements that have failed: until the next one may be tried, nobody is replaced."""

    def __init__(
        self,
        overseer: Overseer,
        crew: Crew,
        strength: Strength,
        admission: Admission[Worker],
        misses: Misses,
        log: Any,  # noqa: ANN401 - structlog's loggers have no type
    ) -> None:
        self._overseer = overseer
        self._crew = crew
        self._strength = strength
        self._admission = admission
        self._misses = misses
        self._log = log
        self._idling = Idling()

    def look(self, now: float) -> None:
        """Ask every worker whether it is there; let one be renewed that is worn, or all sleep that are idle."""
        for worker in self._crew.alive:
            worker.look(now)
        team, stage = self._crew.present, self._overseer.life.stage
        if team is None or stage is not Stage.RUNNING or team.coming or not self._misses.may_try(now):
            return
        if self._is_idle(team, now):
            self._overseer.happen(Event.SLEEP)
        elif (worn := find_worn(team, self._overseer.rules.bounds, now)) is not None:
            self._renew(worn)

    def _is_idle(self, team: Team, now: float) -> bool:
        """Whether a plugin that runs on demand has had nothing to do for long enough."""
        rules = self._overseer.rules
        if not rules.on_demand:
            return False
        workers = [member.worker for member in team.ready]
        busy = self._admission.queued > 0 or any(worker.is_busy for worker in workers)
        requests = sum(worker.requests for worker in workers)
        return self._idling.is_over(team, requests, rules.idle_stop, now, busy=busy)

    def _renew(self, worn: "Worn") -> None:
        """Put another worker in the place of one that answers. Where it is the only one, that is a matter of the
        plugin as a whole."""
        member = worn.member
        if worn.because is not None:
            self._crew.causes["recycled"] += 1
            self._log.info("worker.recycled", pid=member.worker.pid, because=worn.because)
        if member.team.members == [member]:
            # One that is stuck is tried to be replaced again: the first replacement has failed.
            self._overseer.happen(Event.HUNG if worn.because is None else Event.REPLACE, member.team)
        else:
            self._strength.relieve(member)

    # Requests that were cancelled, each of which is looked after when its grace is over

    def cancelled(self, worker: Worker, exchange: Exchange) -> None:
        """The worker was told to give the request up."""
        grace = self._overseer.rules.clock_cancel_grace
        exchange.grace = asyncio.get_running_loop().call_later(grace, self._check_left, worker, exchange)

    def _check_left(self, worker: Worker, exchange: Exchange) -> None:
        """A cancelled request that is still in its thread holds a place for ever: the worker is replaced."""
        member = self._crew.member_of(worker)
        if exchange.is_over or member is None or member.team is not self._crew.present:
            return
        self._log.warning("worker.hung", pid=worker.pid, request=exchange.request, interface=exchange.interface)
        member.stuck += 1
        worker.doubt()
        if member.team.members == [member]:
            self._overseer.happen(Event.HUNG, member.team)
        # Else it is relieved at the next look: one after the other.


@dataclass(frozen=True, slots=True)
class Worn:
    """The worker is to be renewed; `because` it has served its time, or None: a request does not leave its thread."""

    member: Member
    because: str | None


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
