"""A request on the direct path that waits for a place at a worker: in the same queue as others, but without a task,
future or timer of its own."""

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import TypeAlias

import structlog

from endpointd.gateway.client import Client
from endpointd.gateway.clocks import Clocks
from endpointd.supervisor.admission import Admission, NoPlace
from endpointd.supervisor.worker import Worker

log = structlog.get_logger()

Outcome: TypeAlias = Worker | NoPlace | None
"""The worker, to which the request must be handed at once; or the refusal; or None if the client has disconnected."""


class Waiting:
    """An `admission.Guest`. After a successful `line_up`, `over` is called once, with this object and the outcome."""

    __slots__ = ("_admission", "_began", "_client", "_clocks", "_limit", "_over", "_since")

    def __init__(
        self,
        admission: Admission[Worker],
        clocks: Clocks,
        client: Client,
        over: Callable[["Waiting", Outcome], None],
    ) -> None:
        self._admission = admission
        self._clocks = clocks
        self._client = client
        self._over = over
        self._limit = admission.clock_queue
        self._began = monotonic()
        self._since = asyncio.get_running_loop().time()

    @property
    def seconds(self) -> float:
        """How long it has waited so far, in seconds."""
        return monotonic() - self._began

    def line_up(self) -> bool:
        """Enter the queue. Returns False, without having done anything, if that is not possible."""
        if not self._admission.line_up(self):
            return False
        self._client.on_gone = self._leave
        if self._limit:
            self._clocks.add(self)
        return True

    def check(self, now: float) -> None:
        if now - self._since >= self._limit:
            self._give_up(self._admission.too_late())

    def enter(self, worker: Worker) -> None:
        self._end(worker)

    def refuse(self, refusal: NoPlace) -> None:
        self._end(refusal)

    def _leave(self) -> None:
        self._give_up(None)

    def _give_up(self, why: Outcome) -> None:
        self._admission.step_out(self)
        self._end(why)

    def _end(self, outcome: Outcome) -> None:
        self._client.on_gone = None
        self._clocks.discard(self)
        try:
            self._over(self, outcome)
        # The caller handles other requests too: a bug must affect this one only.
        except Exception:
            log.critical("gateway.defect", exc_info=True)
            self._client.abort()
