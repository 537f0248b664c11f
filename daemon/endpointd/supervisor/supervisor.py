"""Keeps one plugin's workers alive: asks the state table (`state`) what to do next, and has it done.

Requests get their worker from `admission`. `foreman` handles single workers, and `reception` decides where requests go
while there is none.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import time

import structlog

from endpointd.logs.journal import Journal
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
"""The least drain clock in seconds: a worker without requests can end by itself within it. It holds even if other parts
of the daemon have used up the drain clock."""


class Supervisor:
    """`serve` is called with the order whose routes requests are matched with, and `prove` with an order that has shown
    that it works (see `Reception`). `provider` provides the workers' interpreters, and `answer` answers their session
    calls."""

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
        """Of all requests that were answered: the time from handing a request to a worker to the head of its answer."""
        self.traffic = Traffic()
        """The requests of all endpoints of the plugin."""
        self.changed_at = time()
        """When `life.state` last changed, in seconds since the epoch."""
        log = structlog.get_logger().bind(plugin=plugin)
        self._news = News(log, self.journal, rules.output_rate)
        self._orders = Orders(order)
        self._reception = Reception(plugin, rules, serve, prove, self._need, self._hurry, self._now)
        self.admission = self._reception.admission
        self._foreman = Foreman(self, self._orders, self.admission, self._news, starts, provider, answer, log)
        self.crew = self._foreman.crew
        self._setbacks = Setbacks()
        self._changes: list[asyncio.Future[None]] = []
        """A future for each call of `settled` that waits; they are done at the next change."""
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
        """Whether an older version serves because the one that was asked for has failed."""
        return self._orders.is_behind

    @property
    def pids(self) -> tuple[int, ...]:
        """The pids of the present workers that are ready."""
        return self.crew.pids

    @property
    def restarts(self) -> int:
        """How many workers have replaced one that had failed."""
        return self.crew.restarts

    @property
    def causes(self) -> Counter[str]:
        """How often workers failed, by the code of the failure, and how often they were "recycled"."""
        return self.crew.causes

    @property
    def interpreters(self) -> set[Path]:
        """The interpreters of all its workers, including those that are starting or finishing."""
        starting = [member.worker for team in self.crew.teams for member in team.members]
        return {worker.python for worker in (*self.crew.alive, *starting) if worker.python is not None}

    @property
    def failure(self) -> Failure | None:
        """The last failure, which may be over (`over_at`); None if there was none."""
        return self._setbacks.last

    @property
    def workers_wanted(self) -> int:
        return self.rules.workers

    @property
    def lines_left_out(self) -> int:
        """How many lines of the plugin's output were not logged because there were too many."""
        return self._news.gate.left_out

    @property
    def is_settled(self) -> bool:
        """Whether the stage will not soon change by itself, and no further workers are starting."""
        present = self.crew.present
        is_growing = self.life.state is State.RUNNING and present is not None and bool(present.coming)
        return self.life.stage not in UNSETTLED and not is_growing

    @property
    def is_waking(self) -> bool:
        """Whether a worker is starting in a plugin that runs on demand."""
        return self.life.state is State.STARTING and self.rules.on_demand

    def may_run(self, order: WorkerOrder) -> bool:
        """Whether workers run `order`, or may come to run it without an operator's asking for it: because it is the
        current one, or the one to go back to."""
        orders = self._orders
        return order in (orders.current, orders.proved) or any(team.order == order for team in self.crew.teams)

    # What operators ask for

    def start(self) -> None:
        if not self._is_closed:
            self.happen(Event.START)

    def sleep(self) -> None:
        """For a plugin that was not started yet: let the first request start its worker."""
        # If a later version fails, the plugin goes back to this one.
        self._orders.prove(self.order)
        self.happen(Event.SLEEP)

    def replace(self, order: WorkerOrder, rules: Rules) -> None:
        """Start a worker that runs `order`, and let it take the place of the present one as soon as it is ready. If it
        fails, the present one stays. A stopped plugin stays stopped."""
        if self._is_closed:
            return
        self._orders.ask_for(order)
        self._hold_to(rules)
        if self.life.state is not State.RUNNING:
            # No worker serves, so the requests that wait will go to the new one.
            self._reception.announce(order)
        self.happen(Event.REPLACE)

    def want(self, order: WorkerOrder) -> None:
        """Note that `order` is asked for again, instead of a version that has failed. No worker has to be started."""
        self._orders.wanted = order
        self.changed()

    def regulate(self, rules: Rules) -> None:
        """Apply other rules from now on."""
        self._hold_to(rules)
        if self.life.stage is Stage.SLEEPING and not rules.on_demand:
            self.start()

    def _hold_to(self, rules: Rules) -> None:
        self.rules = rules
        self._news.gate.limit(rules.output_rate)
        self.admission.limit(rules.queue_size, rules.clock_queue)
        self.changed()

    async def settled(self, *, built: bool = True) -> None:
        """Wait until it is known whether the plugin can be served, and by which worker. If `built` is False, also
        return when it is known that an environment has to be built first."""
        while not self.is_settled and (built or self.life.stage not in (Stage.BUILDING, Stage.PREPARING)):
            future = asyncio.get_running_loop().create_future()
            self._changes.append(future)
            await future

    async def stop(self) -> None:
        """Let the workers finish their requests within the drain clock, then end them. Returns when no process is
        left."""
        self.happen(Event.STOP)
        await self._foreman.over()

    async def close(self, spent: float = 0.0) -> None:
        """Stop for good: later calls that want a worker do nothing, so that no worker is left behind. `spent` seconds
        of the drain clock have passed already."""
        self._is_closed = True
        drain = self.rules.clock_drain
        self.rules = replace(self.rules, clock_drain=min(drain, max(LEAST_DRAIN, drain - spent)))
        await self.stop()

    def kill(self) -> None:
        """Kill every worker at once, whatever it is doing. A call of `stop` then returns soon."""
        self.happen(Event.STOP)
        self._foreman.kill()

    def look(self, now: float) -> None:
        """Called about once a second. Finds workers that do not answer, that are to be recycled, or that are idle.
        `now` is the event loop's time."""
        if self.life.stage is Stage.SLEEPING and not self.crew.alive:
            return
        self._news.look()
        self._look_back()
        self._foreman.look(now)

    # Deciding

    def happen(self, event: Event, team: Team | None = None) -> None:
        """Process an event. This is the only place where `life` changes. An event of a `team` that is not, or is no
        longer, the present one is ignored; `team` is None if the event concerns the plugin, or the next or old team."""
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
            # The timer of an earlier delay that was cut short.
            self._wake.cancel()
        self._wake = asyncio.get_running_loop().call_later(seconds, self.happen, Event.WAKE)

    def changed(self) -> None:
        """Called when workers have come or gone, or when their number or the rules change."""
        self._foreman.keep_strength()
        self._reception.follow(self.life, self.crew.present, self.failure)
        self._look_back()
        changes, self._changes = self._changes, []
        for future in changes:
            if not future.done():
                future.set_result(None)

    def _need(self) -> None:
        """Called when a request has come for a sleeping plugin."""
        if not self._is_closed:
            self.happen(Event.NEEDED)

    def _hurry(self) -> None:
        self._foreman.hurry()

    def note_failure(self, member: Member, error: StartFailed, *, kept: bool) -> None:
        """Record the failure of a worker that was wanted. `kept` says whether other workers go on serving."""
        problems, lines = tuple(error.problems), member.voice.last_lines()
        failure = Failure(error.code, error.message, time(), problems, lines, member.order.release, kept)
        self._setbacks.note(failure, member.order, self._now())
        self._news.failed(failure, member.worker.pid, member.worker.bad_frame)

    def _look_back(self) -> None:
        """Note whether the last failure is over: it can only be if the wanted version serves and is not on trial."""
        team, stage = self.crew.present, self.life.stage
        if stage.state is not State.RUNNING or stage is Stage.ON_TRIAL or team is None or not team.ready:
            return
        if team.order is self._orders.wanted:
            self._setbacks.look(team, self.rules, self._now())

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
