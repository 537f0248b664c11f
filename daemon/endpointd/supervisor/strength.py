"""Keeps a team at its number of workers: starts those that are missing, lets go those that are too many, and puts
another in the place of a single one.

What becomes of the team as a whole is not its concern, but that of the table of the states.
"""

import asyncio
import random
from collections.abc import Callable

from endpointd.supervisor.backoff import delay
from endpointd.supervisor.crew import Member, Team
from endpointd.supervisor.lives import Lives
from endpointd.supervisor.rules import Rules


class Strength:
    """`rules` gives those of the moment; `begin` starts one more worker of a team, to relieve the given member unless
    that is None; `is_kept` tells whether a team is to have its number now."""

    def __init__(
        self,
        lives: Lives,
        rules: Callable[[], Rules],
        begin: Callable[[Team, Member | None], Member],
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

    def lost(self, member: Member, now: float) -> None:
        """A worker has failed whose requests others take: another one is started, after a delay that grows."""
        team, rules = member.team, self._rules()
        has_stood = member.ready_at is not None and now - member.ready_at >= rules.policy.stable_after
        team.failures = 1 if has_stood else team.failures + 1
        seconds = delay(team.failures, rules.restart_longest, random.random())
        if team.pause is not None:
            team.pause.cancel()
        team.pause = asyncio.get_running_loop().call_later(seconds, self._go_on, team)

    def _go_on(self, team: Team) -> None:
        team.pause = None
        self.keep(team)

    def relieve(self, member: Member) -> None:
        """Let another worker take the place of this one as soon as it is ready."""
        self._begin(member.team, member)

    def came(self, member: Member) -> None:
        """It is ready: whom it relieves may go."""
        relieved, member.relieves = member.relieves, None
        if relieved is not None and relieved in member.team.members:
            self.let_go(relieved)

    def let_go(self, member: Member) -> None:
        """It is no member of its team any more."""
        member.team.members.remove(member)
        self._end(member)

    def give_up_coming(self, team: Team) -> None:
        """Those that are starting are not wanted any more."""
        for member in team.coming:
            self.let_go(member)

    def dissolve(self, team: Team) -> None:
        """Those that serve finish what is open; those that are starting end. All are its members until they have."""
        for member in team.members:
            self._end(member)

    def _end(self, member: Member) -> None:
        if member.ready_at is None:
            self._lives.put_down(member)
        else:
            self._lives.drain(member, self._rules().clock_drain)
