"""Regular checks of a plugin's workers, about once a second: whether they respond, have stuck requests, are to be
recycled, or are idle."""

import asyncio
from dataclasses import dataclass
from typing import Any

from endpointd.channel.exchange import Exchange
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
    """`misses` are the replacements that have failed: no worker is replaced before the next try is due."""

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
        """Check that every worker responds. Then put an idle plugin to sleep, or replace one worker that is worn. `now`
        is the event loop's time."""
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
        """Replace a worker that still serves. If it is the only one of the plugin, the state table decides how."""
        member = worn.member
        if worn.because is not None:
            self._crew.causes["recycled"] += 1
            self._log.info("worker.recycled", pid=member.worker.pid, because=worn.because)
        if member.team.members == [member]:
            # A stuck worker is only found here if its first replacement has failed; it is tried again.
            self._overseer.happen(Event.HUNG if worn.because is None else Event.REPLACE, member.team)
        else:
            self._strength.relieve(member)

    # Cancelled requests, each of which is checked when its grace is over

    def cancelled(self, worker: Worker, exchange: Exchange) -> None:
        """The worker was told to cancel a request: check later whether it has ended."""
        grace = self._overseer.rules.clock_cancel_grace
        exchange.grace = asyncio.get_running_loop().call_later(grace, self._check_left, worker, exchange)

    def _check_left(self, worker: Worker, exchange: Exchange) -> None:
        """Replace the worker if a cancelled request is still running, because it may hold its place for ever."""
        member = self._crew.member_of(worker)
        if exchange.is_over or member is None:
            return
        # Also in the old team, which serves again if the present one fails its trial: `look` finds it then.
        member.stuck += 1
        worker.doubt()
        if member.team is not self._crew.present:
            return
        self._log.warning("worker.hung", pid=worker.pid, request=exchange.request, interface=exchange.interface)
        if member.team.members == [member]:
            self._overseer.happen(Event.HUNG, member.team)
        # Otherwise `look` will replace it: only one worker at a time.


@dataclass(frozen=True, slots=True)
class Worn:
    """A worker that is to be replaced. `because` is the bound that it has reached, or None if a cancelled request does
    not end."""

    member: Member
    because: str | None


def find_worn(team: Team, bounds: Bounds, now: float) -> Worn | None:
    """The first worker that is to be replaced. Only one at a time is."""
    for member in team.ready:
        if member.stuck:
            return Worn(member, None)
        if (reason := _wear(member, bounds.spread(member.chance), now)) is not None:
            return Worn(member, reason)
    return None


def _wear(member: Member, bounds: Bounds, now: float) -> str | None:
    """The bound that the worker has reached, in words; None if it may go on."""
    assert member.ready_at is not None
    worker = member.worker
    memory = usage.memory if bounds.memory and (usage := usage_of(worker.pid or 0)) else None
    return bounds.exceeded(worker.requests, now - member.ready_at, memory)
