"""One plugin's workers, kept alive: performs what the table in `state` decides.

Requests find their worker through `admission`; everything else about the workers is known here alone.
"""

import asyncio
import math
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from time import time

import structlog

from endpointd.exchange import Exchange
from endpointd.journal import Journal
from endpointd.sessions.dispatch import AnswerCall, refuse
from endpointd.supervisor.admission import Admission, NoPlace
from endpointd.supervisor.backoff import Misses, delay
from endpointd.supervisor.crew import Crew, Member, Team
from endpointd.supervisor.failure import Failure, are_permanent
from endpointd.supervisor.latencies import Latencies
from endpointd.supervisor.lives import Lives
from endpointd.supervisor.news import News, Voice
from endpointd.supervisor.provision import Provider
from endpointd.supervisor.refusals import refusal, too_late
from endpointd.supervisor.rounds import Rounds, Worn, find_worn
from endpointd.supervisor.rules import Rules
from endpointd.supervisor.setbacks import Setbacks
from endpointd.supervisor.starts import Starts
from endpointd.supervisor.state import UNSETTLED, Action, Event, Life, Stage, State, step
from endpointd.supervisor.strength import Strength
from endpointd.supervisor.traffic import Traffic
from endpointd.supervisor.worker import StartFailed, Worker, WorkerOrder

LEAST_DRAIN = 1.0
"""Seconds that a worker without requests has to end by itself, though others have used up the clock."""

TRIAL = 1.0
"""Seconds for which the old worker is kept behind one that has taken its place. What dies at once, dies within them."""


class Supervisor:
    """`serving` is called with the order of the worker that requests go to, or will go to as soon as there is one,
    whenever that is another one; `serves` as often as workers come or go, with that of those that answer and have stood
    their trial. `provider` gives the workers their interpreters, and `answer` answers their session calls."""

    def __init__(
        self,
        plugin: str,
        order: WorkerOrder,
        rules: Rules,
        starts: Starts,
        serving: Callable[[WorkerOrder], None],
        serves: Callable[[WorkerOrder], None],
        provider: Provider,
        answer: AnswerCall = refuse,
    ) -> None:
        self.plugin = plugin
        self.order = self.wanted = order
        """What the next worker is to run, and what was asked for: which is another one when that has failed, and the
        one before was gone back to."""
        self.life = Life()
        self.restarts = 0
        """Workers that took the place of one that had failed."""
        self.crew = Crew()
        self.admission: Admission[Worker] = Admission(rules.queue_size, rules.queue)
        self.journal = Journal(now=time)
        self.latencies = Latencies()
        """From handing a request to a worker to the head of its answer, of all that were answered."""
        self.traffic = Traffic()
        """Of all endpoints of the plugin."""
        self.causes: Counter[str] = Counter()
        """Why workers were replaced or failed: the codes of failures, and what recycling names."""
        self.changed_at = time()
        """When the operators' state changed, in seconds since the epoch."""
        self._rules = rules
        self._serving = serving
        self._serves = serves
        self._answer = answer
        self._served: WorkerOrder | None = None
        self._proved: WorkerOrder | None = None
        """What the last worker ran that was fit to be replaced, or has stood its trial: something to go back to."""
        self._log = structlog.get_logger().bind(plugin=plugin)
        self._news = News(self._log, self.journal, rules.output_rate)
        self._lives = Lives(starts, provider, self._log, self)
        self._strength = Strength(self._lives, lambda: self._rules, self._begin, self._is_kept)
        self._changes: list[asyncio.Future[None]] = []
        self._wake: asyncio.TimerHandle | None = None
        self._setbacks = Setbacks()
        self._misses = Misses()
        """Of replacements, while the worker that they were to replace went on."""
        self._rounds = Rounds()
        self._is_closed = False

    def __repr__(self) -> str:
        return f"<Supervisor {self.plugin}: {self.life.stage}, worker {self.crew.worker!r}>"

    @property
    def pids(self) -> tuple[int, ...]:
        """Of the present workers that answer."""
        return self.crew.pids

    @property
    def failure(self) -> Failure | None:
        """The last one."""
        return self._setbacks.last

    @property
    def is_behind(self) -> bool:
        """Whether an older version is to answer, because the one that was asked for has failed."""
        return self.order is not self.wanted

    @property
    def workers_wanted(self) -> int:
        return self._rules.workers

    @property
    def lines_left_out(self) -> int:
        """Of the plugin's output, which were too many for the log."""
        return self._news.gate.left_out

    @property
    def is_settled(self) -> bool:
        """Whether nothing is on its way to become something else by itself."""
        present = self.crew.present
        is_growing = self.life.state is State.RUNNING and present is not None and bool(present.coming)
        return self.life.stage not in UNSETTLED and not is_growing

    @property
    def is_waking(self) -> bool:
        """Whether a worker starts that is only there when it is needed."""
        return self.life.state is State.STARTING and self._rules.on_demand

    def may_run(self, order: WorkerOrder) -> bool:
        """Whether requests go to a worker of `order`, or may go to one without anybody's asking for it."""
        return order in (self.order, self._proved) or any(team.order == order for team in self.crew.teams)

    # For operators

    def start(self) -> None:
        if not self._is_closed:
            self._happen(Event.START)

    def sleep(self) -> None:
        """A plugin that was not started yet: let the first request start its worker."""
        # What is there to be run is what a change that does not run must not take away.
        self._proved = self.order
        self._happen(Event.SLEEP)

    def replace(self, order: WorkerOrder, rules: Rules) -> None:
        """Let a worker that runs `order` take the place of the present one, as soon as it is ready; if it fails, the
        present one stays. A plugin that was stopped stays so."""
        if self._is_closed:
            return
        self.order = self.wanted = order
        self._hold_to(rules)
        if self.life.state is not State.RUNNING:
            # Nobody answers: who waits is answered by the new one.
            self._announce(order)
        self._happen(Event.REPLACE)

    def want(self, order: WorkerOrder) -> None:
        """What has failed is not asked for any more, but `order` again: nobody has to be started for it."""
        self.wanted = order
        self._changed()

    def regulate(self, rules: Rules) -> None:
        """Hold the plugin to other rules from now on."""
        self._hold_to(rules)
        if self.life.stage is Stage.SLEEPING and not rules.on_demand:
            self.start()

    def _hold_to(self, rules: Rules) -> None:
        self._rules = rules
        self._news.gate.limit(rules.output_rate)
        self.admission.limit(rules.queue_size, rules.queue)
        self._changed()

    async def settled(self, *, built: bool = True) -> None:
        """Wait until it is known whether the plugin can be served, and by which worker; without `built`, no longer than
        until it is known that an environment has to be built first."""
        while not self.is_settled and (built or self.life.stage not in (Stage.BUILDING, Stage.PREPARING)):
            future = asyncio.get_running_loop().create_future()
            self._changes.append(future)
            await future

    async def stop(self) -> None:
        """Let the workers finish (within the drain clock) and end them. Returns when no process is left."""
        self._happen(Event.STOP)
        await self._lives.over()

    async def close(self, spent: float = 0.0) -> None:
        """Stop for good: whoever wants a worker later is too late, and none is left that nobody knows of. Of the drain
        clock, `spent` seconds have passed already."""
        self._is_closed = True
        drain = self._rules.drain
        self._rules = replace(self._rules, drain=min(drain, max(LEAST_DRAIN, drain - spent)))
        await self.stop()

    def kill(self) -> None:
        """End every worker at once, whatever it is doing; `stop` then returns soon."""
        self._happen(Event.STOP)
        self._lives.kill(self.crew.alive)

    def look(self, now: float) -> None:
        """Called about once a second: find workers that do not answer, those that have served their time, and those
        that have nothing to do."""
        if self.life.stage is Stage.SLEEPING and not self.crew.alive:
            return
        self._news.look()
        for worker in self.crew.alive:
            worker.look(now)
        self._look_back()
        team = self.crew.present
        if team is None or self.life.stage is not Stage.RUNNING or team.coming or not self._misses.may_try(now):
            return
        if self._rounds.is_idle(team, self._rules, self.admission.queued, now):
            self._happen(Event.SLEEP)
        elif (worn := find_worn(team, self._rules.bounds, now)) is not None:
            self._renew(worn)

    def _renew(self, worn: Worn) -> None:
        """Put another worker in the place of one that answers. Where it is the only one, that is a matter of the
        plugin as a whole."""
        member = worn.member
        if worn.because is not None:
            self.causes["recycled"] += 1
            self._log.info("worker.recycled", pid=member.worker.pid, because=worn.because)
        if member.team.members == [member]:
            # One that is stuck is tried to be replaced again: the first replacement has failed.
            self._happen(Event.HUNG if worn.because is None else Event.REPLACE, member.team)
        else:
            self._strength.relieve(member)

    # Deciding

    def _happen(self, event: Event, team: Team | None = None) -> None:
        """The only place where the state changes. News of a team that is not, or is no longer, the present one
        changes nothing; `team` is None when the event is about the plugin, or about another team."""
        if team is not None and team is not self.crew.present:
            return
        before = self.life
        self.life, actions = step(before, event, self._now(), self._rules.policy)
        self._news.moved(before, self.life, event)
        if self.life.state is not before.state:
            self.changed_at = time()
        for action in actions:
            self._perform(action)
        self._changed()

    def _changed(self) -> None:
        """Workers have come or gone, or there are to be more of them or fewer."""
        if self.crew.present is not None:
            self._strength.keep(self.crew.present)
        self._route()
        self._look_back()
        changes, self._changes = self._changes, []
        for future in changes:
            if not future.done():
                future.set_result(None)

    def _look_back(self) -> None:
        """A failure is over when what was asked for answers, and has stood its trial."""
        team, stage = self.crew.present, self.life.stage
        if stage.state is not State.RUNNING or stage is Stage.ON_TRIAL or team is None or not team.ready:
            return
        if team.order is self.wanted:
            self._setbacks.look(team, self._rules, self._now())

    def _route(self) -> None:
        """Let requests go where the state says."""
        state = self.life.state
        if state is State.RUNNING and self.crew.present is not None:
            self._announce(self.crew.present.order)
            if self.life.stage is not Stage.ON_TRIAL:
                self._serves(self.crew.present.order)
            self.admission.serve_by(*(member.worker for member in self.crew.present.ready))
        elif state is State.SLEEPING:
            self.admission.serve_by(need=self._needed, late=self._too_late)
        elif state is State.STARTING:
            self.admission.serve_by(need=self._hurry, late=self._too_late)
        elif (no_place := refusal(state, self.failure)) is not None:
            self.admission.refuse(no_place)

    def _needed(self) -> None:
        if not self._is_closed:
            self._happen(Event.NEEDED)

    def _hurry(self) -> None:
        for member in self.crew.present.coming if self.crew.present is not None else ():
            self._lives.hurry(member)

    def _too_late(self) -> NoPlace:
        return too_late(self.plugin, self.life, self._now())

    def _announce(self, order: WorkerOrder) -> None:
        if order is not self._served:
            self._served = order
            self._serving(order)

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    # Acting

    def _perform(self, action: Action) -> None:  # noqa: C901, PLR0912 - one case an action, and nothing else
        crew, strength = self.crew, self._strength
        match action:
            case Action.SPAWN:
                self.restarts += self.life.failures > 0
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
                self.restarts += 1
                strength.give_up_coming(crew.promote())
            case Action.SWITCH:
                self._switch()
            case Action.SWITCH_BACK:
                strength.dissolve(crew.switch_back())
                self._go_back()
            case Action.KEEP:
                strength.dissolve(crew.take_next())
                self._go_back()
            case Action.RETIRE:
                self._misses.forget()
                self._prove()
                strength.dissolve(crew.take_old())
            case Action.WAIT:
                self._wait()

    def _switch(self) -> None:
        self.crew.switch()
        present, old = self.crew.present, self.crew.old
        assert present is not None
        assert old is not None
        self._strength.give_up_coming(old)
        was = old.first.worker.pid if old.members else None
        self._log.info("worker.switched", pid=present.first.worker.pid, was=was)
        self._later(TRIAL, Event.PROVED, present)
        self._later(self._rules.policy.stable_after, Event.STABLE, present)

    def _prove(self) -> None:
        if self.crew.present is not None:
            self._proved = self.crew.present.order

    def _go_back(self) -> None:
        """What has failed is not tried again by itself."""
        assert self._proved is not None
        self.order = self._proved

    def _recruit(self) -> Team:
        """A team of one worker; the others follow when it has shown that the plugin can be loaded."""
        team = Team(self.order)
        self._begin(team)
        return team

    def _begin(self, team: Team, relieves: Member | None = None) -> Member:
        voice = Voice(self._news, lambda: worker.pid if self._rules.workers > 1 else None)
        worker = Worker(team.order, voice.line, voice.record, self.admission.advance, self._cancelled, self._answer)
        member = Member(worker, random.random(), team, voice, relieves=relieves)
        team.members.append(member)
        self._lives.begin(member, self.life.failures + team.failures)
        return member

    def _is_kept(self, team: Team) -> bool:
        """Whether it is to have its number of workers: as soon as the first one is ready."""
        is_present = team is self.crew.present and self.life.state is State.RUNNING
        return bool(team.ready) and (is_present or team is self.crew.next)

    def _wait(self) -> None:
        seconds = delay(self.life.failures, self._rules.restart_longest, random.random())
        if 0 < self._rules.queue < seconds:
            message = f"the plugin's worker has failed and is started again in {seconds:.0f} s"
            self.admission.refuse(NoPlace("plugin_backoff", message, retry_after=math.ceil(seconds)))
        else:
            self.admission.serve_by(late=self._too_late)
        if self._wake is not None:
            # That of an earlier delay, which somebody has cut short.
            self._wake.cancel()
        self._wake = self._later(seconds, Event.WAKE)

    def _later(self, seconds: float, event: Event, team: Team | None = None) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(seconds, self._happen, event, team)

    def _miss(self) -> None:
        """What has failed is not tried again at once, as long as somebody answers."""
        self._misses.add(self._now(), self._rules.restart_longest, random.random())

    # What the lives of the workers bring

    def is_awaited(self, member: Member) -> bool:
        return member.team is self.crew.present and not member.team.ready and self.admission.queued > 0

    def is_building(self, member: Member) -> None:
        member.building = "its environment is to be built"
        self._tell_of_build(member, Event.BUILD)

    def has_progressed(self, member: Member, line: str) -> None:
        member.building = line
        member.voice.progress(line)

    def has_built(self, member: Member) -> None:
        member.building = None
        self._tell_of_build(member, Event.BUILT)

    def _tell_of_build(self, member: Member, event: Event) -> None:
        # Those who come to others that are ready keep nobody waiting.
        if member.team.ready:
            return
        self._happen(event, None if member.team is self.crew.next else member.team)

    def is_ready(self, member: Member) -> None:
        self.crew.has_begun(member, self._now())
        self._log.info("worker.ready", pid=member.worker.pid, release=member.order.release)
        team = member.team
        if member not in team.members:
            return
        self._strength.has_come(member)
        if team is self.crew.next:
            self._muster(team)
        elif team is self.crew.present and self.life.state is State.RUNNING:
            self._changed()
        else:
            self._later(self._rules.policy.stable_after, Event.STABLE, team)
            self._happen(Event.READY, team)

    def _muster(self, team: Team) -> None:
        """The next team takes over as a whole: requests are not to find fewer workers than there were."""
        self._strength.keep(team)
        if not team.coming:
            self._happen(Event.NEXT_READY)

    def has_died(self, member: Member, how: str) -> None:
        """A worker that was ready has ended, expected or not."""
        self.crew.has_ended(member)
        if member.team is self.crew.old and member in member.team.members:
            self._lose_old(member)
        elif self.life.state is State.RUNNING:
            self.has_failed(member, StartFailed(member.worker.verdict, f"the worker {how}"))

    def _lose_old(self, member: Member) -> None:
        member.team.members.remove(member)
        if not member.team.members:
            self.crew.old = None
            self._happen(Event.OLD_LOST)

    def has_ended(self, member: Member) -> None:
        """A worker that was to end has ended."""
        member.building = None
        self.crew.has_ended(member)
        team = member.team
        if member in team.members:
            team.members.remove(member)
            if not team.members and self.life.state is State.DRAINING:
                self._happen(Event.ENDED, team)

    def has_failed(self, member: Member, error: StartFailed) -> None:
        member.building = None
        team = member.team
        is_next = team is self.crew.next
        if member not in team.members or not (is_next or team is self.crew.present):
            return
        is_tried = is_next or self.life.stage is Stage.ON_TRIAL
        is_borne = team.is_borne(member)
        self._note(member, error, kept=is_tried or is_borne)
        if self.life.state is State.DRAINING:
            # Its end comes as `has_ended`.
            return
        team.members.remove(member)
        if is_borne and not (is_tried and member.ready_at is not None):
            self._bear(member)
        elif is_next:
            self._miss()
            self._happen(Event.NEXT_FAILED)
        else:
            self._lose_present(member, error)

    def _note(self, member: Member, error: StartFailed, *, kept: bool) -> None:
        lines = member.voice.last_lines()
        self.causes[error.code] += 1
        problems = tuple(error.problems)
        failure = Failure(error.code, error.message, time(), problems, lines, member.order.release, kept)
        self._setbacks.note(failure, member.order, self._now())
        self._news.failed(failure, member.worker.pid, member.worker.bad_frame)

    def _bear(self, member: Member) -> None:
        """Others go on, and another worker comes in its place."""
        if member.relieves in member.team.members:
            self._miss()
        else:
            self.restarts += 1
            self._strength.lost(member, self._now())
        self._changed()
        if member.team is self.crew.next:
            self._muster(member.team)

    def _lose_present(self, member: Member, error: StartFailed) -> None:
        """The last of the present team is gone, or one that stood on trial."""
        if self.life.stage is Stage.ON_TRIAL:
            self._miss()
        elif self.crew.next is not None and self.crew.next.ready:
            # It need not wait for the rest.
            self._happen(Event.NEXT_READY)
            self.crew.old = None
            self._happen(Event.OLD_LOST)
            return
        self._strength.give_up_coming(member.team)
        permanent = error.lasting or are_permanent(error.problems)
        if member.ready_at is None and self._proved not in (None, member.order):
            # It came in the place of one that had died, and there is something better to start than the same again.
            self._go_back()
            permanent = False
        self._happen(Event.REFUSED if permanent else Event.FAILED, member.team)

    # News from the workers

    def _cancelled(self, worker: Worker, exchange: Exchange) -> None:
        loop = asyncio.get_running_loop()
        exchange.grace = loop.call_later(self._rules.cancel_grace, self._check_left, worker, exchange)

    def _check_left(self, worker: Worker, exchange: Exchange) -> None:
        """A cancelled request that is still in its thread holds a place for ever: the worker is replaced."""
        member = self.crew.member_of(worker)
        if exchange.is_over or member is None or member.team is not self.crew.present:
            return
        self._log.warning("worker.hung", pid=worker.pid, request=exchange.request, interface=exchange.interface)
        member.stuck += 1
        worker.doubt()
        if member.team.members == [member]:
            self._happen(Event.HUNG, member.team)
        # Else it is relieved at the next look: one after the other.
