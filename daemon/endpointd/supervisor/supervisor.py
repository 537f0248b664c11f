"""One plugin's workers, kept alive: has the table in `state` decide, and what it decides done.

Requests find their worker through `admission`. What is known of single workers is `foreman`'s, and where requests go
while there are none, `reception`'s.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import time

import structlog

from endpointd.journal import Journal
from endpointd.sessions.dispatch import AnswerCall, refuse
from endpointd.supervisor.backoff import delay
from endpointd.supervisor.crew import Member, Team
from endpointd.supervisor.failure import Failure
from endpointd.supervisor.foreman import Foreman
from endpointd.supervisor.latencies import Latencies
from endpointd.supervisor.news import News
from endpointd.supervisor.orders import Orders
from endpointd.supervisor.provision import Provider
from endpointd.supervisor.reception import Reception
from endpointd.supervisor.rules import Rules
from endpointd.supervisor.setbacks import Setbacks
from endpointd.supervisor.starts import Starts
from endpointd.supervisor.state import UNSETTLED, Action, Event, Life, Stage, State, step
from endpointd.supervisor.traffic import Traffic
from endpointd.supervisor.worker import StartFailed, WorkerOrder

LEAST_DRAIN = 1.0
"""Seconds that a worker without requests has to end by itself, though others have used up the clock."""


class Supervisor:
    """`serve` and `prove` are told which order requests are for, and which has shown that it serves (`Reception`).
    `provider` gives the workers their interpreters, and `answer` answers their session calls."""

    def __init__(
        self,
        plugin: str,
        order: WorkerOrder,
        rules: Rules,
        starts: Starts,
        serve: Callable[[WorkerOrder], None],
        prove: Callable[[WorkerOrder], None],
        provider: Provider,
        answer: AnswerCall = refuse,
    ) -> None:
        self.plugin = plugin
        self.life = Life()
        self.rules = rules
        self.journal = Journal(now=time)
        self.latencies = Latencies()
        """From handing a request to a worker to the head of its answer, of all that were answered."""
        self.traffic = Traffic()
        """Of all endpoints of the plugin."""
        self.changed_at = time()
        """When the operators' state changed, in seconds since the epoch."""
        log = structlog.get_logger().bind(plugin=plugin)
        self._news = News(log, self.journal, rules.output_rate)
        self._orders = Orders(order)
        self._reception = Reception(plugin, rules, serve, prove, self._need, self._hurry, self._now)
        self.admission = self._reception.admission
        self._foreman = Foreman(self, self._orders, self.admission, self._news, starts, provider, answer, log)
        self.crew = self._foreman.crew
        self._setbacks = Setbacks()
        self._changes: list[asyncio.Future[None]] = []
        """Of those who wait until the plugin is settled."""
        self._wake: asyncio.TimerHandle | None = None
        self._is_closed = False

    def __repr__(self) -> str:
        return f"<Supervisor {self.plugin}: {self.life.stage}, worker {self.crew.worker!r}>"

    # What is shown to operators

    @property
    def order(self) -> WorkerOrder:
        """What the next worker is to run."""
        return self._orders.current

    @property
    def is_behind(self) -> bool:
        """Whether an older version is to answer, because the one that was asked for has failed."""
        return self._orders.is_behind

    @property
    def pids(self) -> tuple[int, ...]:
        """Of the present workers that answer."""
        return self.crew.pids

    @property
    def restarts(self) -> int:
        """Workers that took the place of one that had failed."""
        return self.crew.restarts

    @property
    def causes(self) -> Counter[str]:
        """Why workers were replaced or failed: the codes of failures, and what recycling names."""
        return self.crew.causes

    @property
    def interpreters(self) -> set[Path]:
        """Those that its workers run on: the starting, the present, and those that finish."""
        starting = [member.worker for team in self.crew.teams for member in team.members]
        return {worker.python for worker in (*self.crew.alive, *starting) if worker.python is not None}

    @property
    def failure(self) -> Failure | None:
        """The last one."""
        return self._setbacks.last

    @property
    def workers_wanted(self) -> int:
        return self.rules.workers

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
        return self.life.state is State.STARTING and self.rules.on_demand

    def may_run(self, order: WorkerOrder) -> bool:
        """Whether requests go to a worker of `order`, or may go to one without anybody's asking for it."""
        orders = self._orders
        return order in (orders.current, orders.proved) or any(team.order == order for team in self.crew.teams)

    # What operators ask for

    def start(self) -> None:
        if not self._is_closed:
            self.happen(Event.START)

    def sleep(self) -> None:
        """A plugin that was not started yet: let the first request start its worker."""
        # What is there to be run is what a change that does not run must not take away.
        self._orders.prove(self.order)
        self.happen(Event.SLEEP)

    def replace(self, order: WorkerOrder, rules: Rules) -> None:
        """Let a worker that runs `order` take the place of the present one, as soon as it is ready; if it fails, the
        present one stays. A plugin that was stopped stays so."""
        if self._is_closed:
            return
        self._orders.ask_for(order)
        self._hold_to(rules)
        if self.life.state is not State.RUNNING:
            # Nobody answers: who waits is answered by the new one.
            self._reception.announce(order)
        self.happen(Event.REPLACE)

    def want(self, order: WorkerOrder) -> None:
        """What has failed is not asked for any more, but `order` again: nobody has to be started for it."""
        self._orders.wanted = order
        self.changed()

    def regulate(self, rules: Rules) -> None:
        """Hold the plugin to other rules from now on."""
        self._hold_to(rules)
        if self.life.stage is Stage.SLEEPING and not rules.on_demand:
            self.start()

    def _hold_to(self, rules: Rules) -> None:
        self.rules = rules
        self._news.gate.limit(rules.output_rate)
        self.admission.limit(rules.queue_size, rules.clock_queue)
        self.changed()

    async def settled(self, *, built: bool = True) -> None:
        """Wait until it is known whether the plugin can be served, and by which worker; without `built`, no longer than
        until it is known that an environment has to be built first."""
        while not self.is_settled and (built or self.life.stage not in (Stage.BUILDING, Stage.PREPARING)):
            future = asyncio.get_running_loop().create_future()
            self._changes.append(future)
            await future

    async def stop(self) -> None:
        """Let the workers finish (within the drain clock) and end them. Returns when no process is left."""
        self.happen(Event.STOP)
        await self._foreman.over()

    async def close(self, spent: float = 0.0) -> None:
        """Stop for good: whoever wants a worker later is too late, and none is left that nobody knows of. Of the drain
        clock, `spent` seconds have passed already."""
        self._is_closed = True
        drain = self.rules.clock_drain
        self.rules = replace(self.rules, clock_drain=min(drain, max(LEAST_DRAIN, drain - spent)))
        await self.stop()

    def kill(self) -> None:
        """End every worker at once, whatever it is doing; `stop` then returns soon."""
        self.happen(Event.STOP)
        self._foreman.kill()

    def look(self, now: float) -> None:
        """Called about once a second: find workers that do not answer, those that have served their time, and those
        that have nothing to do."""
        if self.life.stage is Stage.SLEEPING and not self.crew.alive:
            return
        self._news.look()
        self._look_back()
        self._foreman.look(now)

    # Deciding

    def happen(self, event: Event, team: Team | None = None) -> None:
        """The only place where the state changes. News of a team that is not, or is no longer, the present one
        changes nothing; `team` is None when the event is about the plugin, or about another team."""
        if team is not None and team is not self.crew.present:
            return
        before = self.life
        self.life, actions = step(before, event, self._now(), self.rules.policy)
        self._news.moved(before, self.life, event)
        if self.life.state is not before.state:
            self.changed_at = time()
        for action in actions:
            if action is Action.WAIT:
                self._wait()
            else:
                self._foreman.perform(action)
        self.changed()

    def _wait(self) -> None:
        seconds = delay(self.life.failures, self.rules.restart_longest, random.random())
        self._reception.pause(seconds)
        if self._wake is not None:
            # That of an earlier delay, which somebody has cut short.
            self._wake.cancel()
        self._wake = asyncio.get_running_loop().call_later(seconds, self.happen, Event.WAKE)

    def changed(self) -> None:
        """Workers have come or gone, or there are to be more of them or fewer."""
        self._foreman.keep_strength()
        self._reception.follow(self.life, self.crew.present, self.failure)
        self._look_back()
        changes, self._changes = self._changes, []
        for future in changes:
            if not future.done():
                future.set_result(None)

    def _need(self) -> None:
        """A request has come for a plugin that sleeps."""
        if not self._is_closed:
            self.happen(Event.NEEDED)

    def _hurry(self) -> None:
        self._foreman.hurry()

    def note_failure(self, member: Member, error: StartFailed, *, kept: bool) -> None:
        """A worker has failed that was wanted; `kept` tells whether others go on answering."""
        problems, lines = tuple(error.problems), member.voice.last_lines()
        failure = Failure(error.code, error.message, time(), problems, lines, member.order.release, kept)
        self._setbacks.note(failure, member.order, self._now())
        self._news.failed(failure, member.worker.pid, member.worker.bad_frame)

    def _look_back(self) -> None:
        """A failure is over when what was asked for answers, and has stood its trial."""
        team, stage = self.crew.present, self.life.stage
        if stage.state is not State.RUNNING or stage is Stage.ON_TRIAL or team is None or not team.ready:
            return
        if team.order is self._orders.wanted:
            self._setbacks.look(team, self.rules, self._now())

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
