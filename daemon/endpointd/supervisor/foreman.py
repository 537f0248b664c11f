"""Manages a plugin's workers, team by team: performs the actions that the table in `state` decides on, and turns what
happens to single workers into events for the table.

The table is told about the first worker of a team that becomes ready, which shows that the version works, and about the
last one that fails, which is the plugin's failure. Everything between is handled here: workers that follow the first
one, workers that fail while others serve, and workers that are replaced one by one.
"""

import asyncio
import random
from typing import Any

from endpointd.sessions.dispatch import AnswerCall
from endpointd.supervisor.admission import Admission
from endpointd.supervisor.backoff import Misses
from endpointd.supervisor.crew import Crew, Member, Team
from endpointd.supervisor.failure import are_permanent
from endpointd.supervisor.lives import Lives
from endpointd.supervisor.losses import Loss, loss_of
from endpointd.supervisor.news import News, Voice
from endpointd.supervisor.orders import Orders
from endpointd.supervisor.overseer import Overseer
from endpointd.supervisor.provision import Provider
from endpointd.supervisor.rounds import Rounds
from endpointd.supervisor.starts import Starts
from endpointd.supervisor.state import Action, Event, State
from endpointd.supervisor.strength import Strength
from endpointd.supervisor.worker import StartFailed, Worker

TRIAL = 1.0
"""Seconds for which the old worker is kept after it was replaced. A new worker that dies at once does so within this
time."""


class Foreman:
    """`orders` says what the next worker is to run, and `admission` has the requests that wait for a worker."""

    def __init__(
        self,
        overseer: Overseer,
        orders: Orders,
        admission: Admission[Worker],
        news: News,
        starts: Starts,
        provider: Provider,
        answer: AnswerCall,
        log: Any,  # noqa: ANN401 - structlog's loggers have no type
    ) -> None:
        self.crew = Crew()
        self._overseer = overseer
        self._orders = orders
        self._admission = admission
        self._news = news
        self._answer = answer
        self._log = log
        self._lives = Lives(starts, provider, log, self)
        self._strength = Strength(self._lives, lambda: overseer.rules, self._begin, self._is_kept)
        self._misses = Misses()
        """Replacements that have failed, while the workers that they were to replace went on."""
        self._rounds = Rounds(overseer, self.crew, self._strength, admission, self._misses, log)

    # Actions of the state table

    def perform(self, action: Action) -> None:  # noqa: C901 - one case an action, and nothing else
        """Perform any action except `Action.WAIT`, which concerns no worker."""
        crew, strength = self.crew, self._strength
        match action:
            case Action.SPAWN:
                crew.restarts += self._overseer.life.failures > 0
                crew.present = self._recruit()
            case Action.SPAWN_NEXT:
                self._prove()
                crew.next = self._recruit()
            case Action.DRAIN | Action.KILL:
                assert crew.present is not None
                strength.dissolve(crew.present)
            case Action.LET_GO:
                self._prove()
                strength.dissolve(crew.take_present())
            case Action.KILL_NEXT:
                strength.dissolve(crew.take_next())
            case Action.PROMOTE:
                crew.restarts += 1
                strength.give_up_coming(crew.promote())
            case Action.SWITCH:
                self._switch()
            case Action.SWITCH_BACK:
                strength.dissolve(crew.switch_back())
                self._orders.go_back()
            case Action.KEEP:
                strength.dissolve(crew.take_next())
                self._orders.go_back()
            case Action.RETIRE:
                self._misses.forget()
                self._prove()
                strength.dissolve(crew.take_old())

    def _switch(self) -> None:
        self.crew.switch()
        present, old = self.crew.present, self.crew.old
        assert present is not None
        assert old is not None
        self._strength.give_up_coming(old)
        was = old.first.worker.pid if old.members else None
        self._log.info("worker.switched", pid=present.first.worker.pid, was=was)
        self._later(TRIAL, Event.PROVED, present)
        self._later(self._overseer.rules.policy.stable_after, Event.STABLE, present)

    def _prove(self) -> None:
        if self.crew.present is not None:
            self._orders.prove(self.crew.present.order)

    def _recruit(self) -> Team:
        """Start a team with one worker. The others follow when it has shown that the plugin can be loaded."""
        team = Team(self._orders.current)
        self._begin(team)
        return team

    def _begin(self, team: Team, relieves: Member | None = None) -> Member:
        voice = Voice(self._news, lambda: worker.pid if self._overseer.rules.workers > 1 else None)
        worker = Worker(
            team.order, voice.line, voice.record, self._admission.advance, self._rounds.cancelled, self._answer
        )
        member = Member(worker, random.random(), team, voice, relieves=relieves)
        team.members.append(member)
        self._lives.begin(member, self._overseer.life.failures + team.failures)
        return member

    def _is_kept(self, team: Team) -> bool:
        """Whether the team is to have its full number of workers now: not before its first worker is ready."""
        is_present = team is self.crew.present and self._overseer.life.state is State.RUNNING
        return bool(team.ready) and (is_present or team is self.crew.next)

    def _later(self, seconds: float, event: Event, team: Team) -> None:
        asyncio.get_running_loop().call_later(seconds, self._overseer.happen, event, team)

    # Further requests of the overseer

    def keep_strength(self) -> None:
        """Start or end workers so that the present team has the number it is to have."""
        if self.crew.present is not None:
            self._strength.keep(self.crew.present)

    def hurry(self) -> None:
        """Called when a request waits for a worker that is starting."""
        for member in self.crew.present.coming if self.crew.present is not None else ():
            self._lives.hurry(member)

    def look(self, now: float) -> None:
        """Called about once a second; see `Rounds.look`."""
        self._rounds.look(now)

    def kill(self) -> None:
        """Kill every worker at once, whatever it is doing."""
        self._lives.kill(self.crew.alive)

    async def over(self) -> None:
        """Wait until all workers that exist now, starting ones included, have ended and left no process."""
        await self._lives.over()

    # Callbacks from the workers' lives (`lives.Owner`)

    def is_awaited(self, member: Member) -> bool:
        return member.team is self.crew.present and not member.team.ready and self._admission.queued > 0

    def build_began(self, member: Member) -> None:
        member.building = "its environment is to be built"
        self._tell_of_build(member, Event.BUILD)

    def build_progressed(self, member: Member, line: str) -> None:
        member.building = line
        member.voice.progress(line)

    def build_ended(self, member: Member) -> None:
        member.building = None
        self._tell_of_build(member, Event.BUILT)

    def _tell_of_build(self, member: Member, event: Event) -> None:
        # Other workers of the team are ready already, so nobody waits for this one.
        if member.team.ready:
            return
        self._overseer.happen(event, None if member.team is self.crew.next else member.team)

    def became_ready(self, member: Member) -> None:
        self.crew.began(member, asyncio.get_running_loop().time())
        self._log.info("worker.ready", pid=member.worker.pid, release=member.order.release)
        team = member.team
        if member not in team.members:
            return
        self._strength.came(member)
        if team is self.crew.next:
            self._muster(team)
        elif team is self.crew.present and self._overseer.life.state is State.RUNNING:
            self._overseer.changed()
        else:
            self._later(self._overseer.rules.policy.stable_after, Event.STABLE, team)
            self._overseer.happen(Event.READY, team)

    def _muster(self, team: Team) -> None:
        """Bring the next team to its full number, and let it take over when all its workers are ready, so that requests
        never find fewer workers than before."""
        self._strength.keep(team)
        if not team.coming:
            self._overseer.happen(Event.NEXT_READY)

    def died(self, member: Member, how: str) -> None:
        """A worker that was ready has ended, whether it was told to or not."""
        self.crew.ended(member)
        if member.team is self.crew.old and member in member.team.members:
            self._lose_old(member)
        elif self._overseer.life.state is State.RUNNING:
            self.failed(member, StartFailed(member.worker.verdict, f"the worker {how}"))

    def _lose_old(self, member: Member) -> None:
        member.team.members.remove(member)
        if not member.team.members:
            self.crew.old = None
            self._overseer.happen(Event.OLD_LOST)

    def ended(self, member: Member) -> None:
        """A worker has ended as it was told to."""
        member.building = None
        self.crew.ended(member)
        team = member.team
        if member in team.members:
            team.members.remove(member)
            if not team.members and self._overseer.life.state is State.DRAINING:
                self._overseer.happen(Event.ENDED, team)

    def failed(self, member: Member, error: StartFailed) -> None:
        member.building = None
        loss = loss_of(member, self.crew, self._overseer.life.stage)
        if loss is None:
            return
        self.crew.causes[error.code] += 1
        self._overseer.note_failure(member, error, kept=loss.is_kept)
        if self._overseer.life.state is State.DRAINING:
            # `ended` is called for it as well.
            return
        member.team.members.remove(member)
        match loss:
            case Loss.BORNE:
                self._bear(member)
            case Loss.NEXT:
                self._miss()
                self._overseer.happen(Event.NEXT_FAILED)
            case Loss.OVERTAKEN:
                # The next team takes over without waiting for its other workers. There is no old team to go back to.
                self._overseer.happen(Event.NEXT_READY)
                self.crew.old = None
                self._overseer.happen(Event.OLD_LOST)
            case Loss.TRIAL:
                self._miss()
                self._give_up(member, error)
            case Loss.PRESENT:
                self._give_up(member, error)

    def _bear(self, member: Member) -> None:
        """Handle the loss of a worker while others of its team go on; another one is started in its place."""
        if member.relieves in member.team.members:
            self._miss()
        else:
            self.crew.restarts += 1
            self._strength.lost(member, asyncio.get_running_loop().time())
        self._overseer.changed()
        if member.team is self.crew.next:
            self._muster(member.team)

    def _give_up(self, member: Member, error: StartFailed) -> None:
        """Handle the loss of a worker with which the present team has failed."""
        self._strength.give_up_coming(member.team)
        permanent = error.lasting or are_permanent(error.problems)
        if member.ready_at is None and self._orders.has_better(member.order):
            # It was started in the place of one that had died, and there is a proved version to start instead of it.
            self._orders.go_back()
            permanent = False
        self._overseer.happen(Event.REFUSED if permanent else Event.FAILED, member.team)

    def _miss(self) -> None:
        """Delay the next replacement after one has failed: there is no hurry while other workers serve."""
        now = asyncio.get_running_loop().time()
        self._misses.add(now, self._overseer.rules.restart_longest, random.random())
