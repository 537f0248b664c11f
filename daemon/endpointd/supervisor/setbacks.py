"""What has failed last of a plugin's workers, and when that is over."""

from dataclasses import replace
from time import time

from endpointd.supervisor.crew import Team
from endpointd.supervisor.failure import Failure
from endpointd.supervisor.rules import Rules
from endpointd.supervisor.worker import WorkerOrder


class Setbacks:
    """`last` is kept when it is over: operators want to know what it was."""

    def __init__(self) -> None:
        self.last: Failure | None = None
        self._order: WorkerOrder | None = None
        self._noted_at = 0.0

    def note(self, failure: Failure, order: WorkerOrder, now: float) -> None:
        """A worker of `order` has failed. `now` is in seconds of the monotonic clock, here and below."""
        self.last, self._order, self._noted_at = failure, order, now

    def look(self, team: Team, rules: Rules, now: float) -> None:
        """`team` answers, and runs what is wanted: what has failed of anything else is over."""
        if self.last is None or self.last.over_at is not None:
            return
        if self._order is not team.order or self._is_made_good(team, rules, now):
            self.last = replace(self.last, over_at=time())

    def _is_made_good(self, team: Team, rules: Rules, now: float) -> bool:
        """Whether a worker of the same has come since and stays, and none is missing."""
        youngest = max(member.ready_at or 0.0 for member in team.ready)
        stays = youngest >= self._noted_at and now - youngest >= rules.policy.stable_after
        return stays and len(team.ready) >= rules.workers
