"""A request of the direct path that waits for a place at a worker: in the queue as others are, and without a task."""

import asyncio
from collections.abc import Callable
from enum import Enum
from time import monotonic
from typing import TypeAlias

import structlog

from endpointd.gateway.client import Client
from endpointd.supervisor.admission import Admission, NoPlace, Turn
from endpointd.supervisor.worker import Worker

log = structlog.get_logger()


class Vain(Enum):
    """Why a turn came to nothing."""

    WORKER_GONE = "the worker has gone"
    CLIENT_GONE = "the client has gone"


Outcome: TypeAlias = Worker | NoPlace | Vain
"""The worker, to which the request is to be handed without awaiting anything; or that the queue's clock has run out."""


class Waiting:
    """`over` is called once, with this object and the outcome, unless `turn` is given up by its future's owner."""

    def __init__(
        self,
        admission: Admission[Worker],
        turn: Turn,
        client: Client,
        over: Callable[["Waiting", Outcome], None],
    ) -> None:
        self._admission = admission
        self._turn = turn
        self._client = client
        self._over = over
        self._is_over = False
        self._began = monotonic()
        self._timer: asyncio.TimerHandle | None = None
        if admission.clock_queue:
            self._timer = asyncio.get_running_loop().call_later(admission.clock_queue, self._expire)
        client.on_gone = self._leave
        turn[1].add_done_callback(self._come)

    @property
    def seconds(self) -> float:
        """How long it has waited."""
        return monotonic() - self._began

    def _come(self, _: object) -> None:
        if not self._is_over:
            self._end(self._admission.take(self._turn) or Vain.WORKER_GONE)

    def _expire(self) -> None:
        self._give_up(self._admission.too_late())

    def _leave(self) -> None:
        self._give_up(Vain.CLIENT_GONE)

    def _give_up(self, why: Outcome) -> None:
        if not self._is_over:
            self._turn[1].cancel()
            self._admission.leave(self._turn)
            self._end(why)

    def _end(self, outcome: Outcome) -> None:
        self._is_over = True
        self._client.on_gone = None
        if self._timer is not None:
            self._timer.cancel()
        try:
            self._over(self, outcome)
        # Whoever calls has other requests as well: a defect here is to be the end of this one alone.
        except Exception:
            log.critical("gateway.defect", exc_info=True)
            self._client.abort()
