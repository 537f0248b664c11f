"""Keeps a team at its number of workers: starts those that are missing, lets go those that are too many, and puts
another in the place of a single one.

What becomes of the team as a whole is not its concern, but that of the table of the states.
"""

import asyncio
import random
from collections.abc import Callable

from endpointd.supervisor.backoff import delay
from endpointd.supervisor.crew import Part, Team
from endpointd.supervisor.lives import Lives
from endpointd.supervisor.rules import Rules


class Strength:
    """`rules` gives those of the moment; `begin` starts one more worker of a team, which is to relieve the given part;
    `is_kept` tells whether a team is to have its number now."""

    def __init__(
        self,
        lives: Lives,
        rules: Callable[[], Rules],
        begin: Callable[[Team, Part | None], Part],
        is_kept: Callable[[Team], bool],
    ) -> None:
        self._lives = lives
        self._rules = rules
        self._begin = begin
        self._is_kept = is_kept

    def keep(self, team: Team) -> None:
        """Bring the team to its number."""
        if not self._is_kept(team):
            return
        while team.pause is None and team.strength < self._rules().workers:
            self._begin(team, None)
        while team.strength > self._rules().workers:
            # Who serves stays before who only starts, and the eldest before the younger ones.
            self.let_go((team.coming or team.ready)[-1])

    def lost(self, part: Part, now: float) -> None:
        """A worker has failed whose requests others take: another one is started, after a delay that grows."""
        team, rules = part.team, self._rules()
        has_stood = part.ready_at is not None and now - part.ready_at >= rules.policy.stable_after
        team.failures = 1 if has_stood else team.failures + 1
        seconds = delay(team.failures, rules.restart_longest, random.random())
        if team.pause is not None:
            team.pause.cancel()
        team.pause = asyncio.get_running_loop().call_later(seconds, self._go_on, team)

    def _go_on(self, team: Team) -> None:
        team.pause = None
        self.keep(team)

    def relieve(self, part: Part) -> None:
        """Let another worker take the place of this one as soon as it is ready."""
        self._begin(part.team, part)

    def has_come(self, part: Part) -> None:
        """It is ready: whom it relieves may go."""
        relieved, part.relieves = part.relieves, None
        if relieved is not None and relieved in part.team.parts:
            self.let_go(relieved)

    def let_go(self, part: Part) -> None:
        """It is no part of its team any more."""
        part.team.parts.remove(part)
        self._end(part)

    def hold(self, team: Team) -> None:
        """Give up those that are starting."""
        for part in team.coming:
            self.let_go(part)

    def dissolve(self, team: Team) -> None:
        """Those that serve finish what is open; those that are starting end. All are parts of it until they have."""
        for part in team.parts:
            self._end(part)

    def _end(self, part: Part) -> None:
        if part.ready_at is None:
            self._lives.put_down(part)
        else:
            self._lives.drain(part, self._rules().drain)
