"""Keeps a team at its number of workers: starts missing ones, ends surplus ones, and replaces single ones.

The state table, not this module, decides about teams as a whole.
"""

import asyncio
import random
from collections.abc import Callable

from endpointd.supervisor.backoff import delay
from endpointd.supervisor.crew import Member, Team
from endpointd.supervisor.lives import Lives
from endpointd.supervisor.rules import Rules


class Strength:
    """`rules` returns the current rules. `begin` starts one more worker of a team, which is to replace the given member
    unless that is None. `is_kept` says whether a team is to have its full number now."""

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
        """Start or end workers so that the team has its number of them, if it is to have it now."""
        if not self._is_kept(team):
            return
        while team.pause is None and team.strength < self._rules().workers:
            self._begin(team, None)
        while team.strength > self._rules().workers:
            # Workers that are starting go before those that serve, and younger ones before older ones.
            self.let_go((team.coming or team.ready)[-1])

    def lost(self, member: Member, now: float) -> None:
        """A worker has failed while others of its team go on: start another one, after a delay that grows with the
        failures."""
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
        """Start another worker that takes the place of this one as soon as it is ready."""
        self._begin(member.team, member)

    def came(self, member: Member) -> None:
        """A worker has become ready: end the one that it replaces, if any."""
        relieved, member.relieves = member.relieves, None
        if relieved is not None and relieved in member.team.members:
            self.let_go(relieved)

    def let_go(self, member: Member) -> None:
        """Remove a worker from its team, and end it."""
        member.team.members.remove(member)
        self._end(member)

    def give_up_coming(self, team: Team) -> None:
        """Remove and end the workers of a team that are starting."""
        for member in team.coming:
            self.let_go(member)

    def dissolve(self, team: Team) -> None:
        """End all workers of a team: those that serve finish their open requests first. They remain members until they
        have ended."""
        for member in team.members:
            self._end(member)

    def _end(self, member: Member) -> None:
        if member.ready_at is None:
            self._lives.put_down(member)
        else:
            self._lives.drain(member, self._rules().clock_drain)
