"""The last failure of a plugin's workers, and whether it is over."""

from dataclasses import replace
from time import time

from endpointd.supervisor.crew import Team
from endpointd.supervisor.failure import Failure
from endpointd.supervisor.rules import Rules
from endpointd.supervisor.worker import WorkerOrder


class Setbacks:
    """`last` is kept when it is over, because operators want to see it."""

    def __init__(self) -> None:
        self.last: Failure | None = None
        self._order: WorkerOrder | None = None
        self._noted_at = 0.0

    def note(self, failure: Failure, order: WorkerOrder, now: float) -> None:
        """Record the failure of a worker of `order`. `now` is the event loop's time, here and below."""
        self.last, self._order, self._noted_at = failure, order, now

    def look(self, team: Team, rules: Rules, now: float) -> None:
        """Note whether the last failure is over. `team` serves and runs the wanted order, so a failure of any other
        order is."""
        if self.last is None or self.last.over_at is not None:
            return
        if self._order is not team.order or self._is_made_good(team, rules, now):
            self.last = replace(self.last, over_at=time())

    def _is_made_good(self, team: Team, rules: Rules, now: float) -> bool:
        """Whether a worker of the same order has started since and runs stably, and no worker is missing."""
        youngest = max(member.ready_at or 0.0 for member in team.ready)
        stays = youngest >= self._noted_at and now - youngest >= rules.policy.stable_after
        return stays and len(team.ready) >= rules.workers
