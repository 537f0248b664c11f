"""Decides where a plugin's requests go in each state: to workers, into the queue, or back with a refusal."""

import math
from collections.abc import Callable

from endpointd.supervisor.admission import Admission, NoPlace
from endpointd.supervisor.crew import Team
from endpointd.supervisor.failure import Failure
from endpointd.supervisor.refusals import refusal, too_late
from endpointd.supervisor.rules import Rules
from endpointd.supervisor.state import Life, Stage, State
from endpointd.supervisor.worker import Worker, WorkerOrder


class Reception:
    """`admission` gives requests their places.

    `serve` is called with the order whose routes requests are to be matched with from now on: that of the present
    workers, or of those that will come next. `prove` is called, whenever workers come or go, with the order of the
    present workers if they have passed their trial. `need` starts a worker because a request has come, and `hurry`
    speeds up the start of those that are starting. `now` returns the time in the terms of `Life`.
    """

    def __init__(
        self,
        plugin: str,
        rules: Rules,
        serve: Callable[[WorkerOrder], None],
        prove: Callable[[WorkerOrder], None],
        need: Callable[[], None],
        hurry: Callable[[], None],
        now: Callable[[], float],
    ) -> None:
        self.admission: Admission[Worker] = Admission(rules.queue_size, rules.clock_queue)
        self._plugin = plugin
        self._serve = serve
        self._prove = prove
        self._need = need
        self._hurry = hurry
        self._now = now
        self._life = Life()
        self._served: WorkerOrder | None = None

    def follow(self, life: Life, present: Team | None, failure: Failure | None) -> None:
        """Direct requests according to `life`. `present` is the present team, and `failure` the last failure."""
        self._life = life
        state = life.state
        if state is State.RUNNING and present is not None:
            self.announce(present.order)
            if life.stage is not Stage.ON_TRIAL:
                self._prove(present.order)
            self.admission.serve_by(*(member.worker for member in present.ready))
        elif state is State.SLEEPING:
            self.admission.serve_by(need=self._need, late=self._too_late)
        elif state is State.STARTING:
            self.admission.serve_by(need=self._hurry, late=self._too_late)
        elif (no_place := refusal(state, failure)) is not None:
            self.admission.refuse(no_place)
        # In BACKOFF everything stays as `pause` has set it.

    def announce(self, order: WorkerOrder) -> None:
        """Call `serve` with `order` unless requests are matched with its routes already."""
        if order is not self._served:
            self._served = order
            self._serve(order)

    def pause(self, seconds: float) -> None:
        """Called when no worker will come for `seconds`. Requests that may not wait for so long are refused at once."""
        if 0 < self.admission.clock_queue < seconds:
            message = f"the plugin's worker has failed and is started again in {seconds:.0f} s"
            self.admission.refuse(NoPlace("plugin_backoff", message, retry_after=math.ceil(seconds)))
        else:
            self.admission.serve_by(late=self._too_late)

    def _too_late(self) -> NoPlace:
        return too_late(self._plugin, self._life, self._now())
