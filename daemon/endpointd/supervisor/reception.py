"""Where a plugin's requests go as its life goes on: to workers, into the queue, or back with a refusal."""

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
    """`admission` is where requests ask for a place.

    `serve` is called with the order whose routes requests are to be matched with from now on: that of the workers that
    they go to, or will go to as soon as there are any. `prove` is called, as often as workers come or go, with the
    order of those that answer and have stood their trial. `need` starts a worker because a request has come, and
    `hurry` makes haste with those that are starting; `now` is the time of `Life`.
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
        """Let requests go where `life` says. `present` is the present team, and `failure` the last one."""
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
        # In BACKOFF all is as `pause` has left it.

    def announce(self, order: WorkerOrder) -> None:
        """Requests go to workers of `order`, or will as soon as there are any."""
        if order is not self._served:
            self._served = order
            self._serve(order)

    def pause(self, seconds: float) -> None:
        """No worker comes for so long: who would not wait to the end is told so at once."""
        if 0 < self.admission.clock_queue < seconds:
            message = f"the plugin's worker has failed and is started again in {seconds:.0f} s"
            self.admission.refuse(NoPlace("plugin_backoff", message, retry_after=math.ceil(seconds)))
        else:
            self.admission.serve_by(late=self._too_late)

    def _too_late(self) -> NoPlace:
        return too_late(self._plugin, self._life, self._now())
