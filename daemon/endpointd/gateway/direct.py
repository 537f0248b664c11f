"""The direct path: for a request that has arrived completely, and is answered in one piece.

Most requests are like that. Such a request is passed to its worker in the turn of the event loop in which it came, and
so is the answer to the client, without a task, a future or ASGI messages, which would take longer than all the rest
that the host does for a request. As on the general path, the gateway and the relay decide what is read, refused and
sent. A request that turns out to be different continues on the general path: either before it was sent to the worker,
or when the worker has sent its first message.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from time import monotonic
from typing import Any, TypeAlias

import structlog

from endpointd.channel.exchange import Exchange
from endpointd.gateway.client import Client
from endpointd.gateway.failures import no_place
from endpointd.gateway.gateway import Gateway
from endpointd.gateway.mounted_request import MountedRequest
from endpointd.gateway.problems import Problem
from endpointd.gateway.relay import Relay
from endpointd.gateway.trips import Trip
from endpointd.gateway.waiting import Outcome, Waiting
from endpointd.supervisor.admission import NoPlace
from endpointd.supervisor.worker import Worker
from endpointd_wire.frames import MAX_PIECE
from endpointd_wire.messages import End

Application: TypeAlias = Callable[..., Awaitable[None]]
Start: TypeAlias = Callable[[Application], None]

log = structlog.get_logger()


class DirectPath:
    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def begin(self, scope: dict[str, Any], client: Client, start: Start) -> bool:
        """Hand a request to a worker, now or when one has a place. Returns False, without having done anything, if the
        request is not complete yet, is to be refused, or cannot be queued.

        `start` is called with the application that continues on the general path, if the answer does not come in one
        piece or there is none.
        """
        body = client.whole_body()
        if body is None:
            return False
        gateway = self._gateway
        try:
            found = gateway.read(scope, client, gateway.next_id())
        except Problem:
            return False
        if not isinstance(found, MountedRequest):
            return False
        if len(body) > min(found.mount.limits.body, MAX_PIECE):
            return False
        admission = found.mount.supervisor.admission
        worker = admission.enter_at_once()
        if worker is not None:
            return self._open(found, worker, body, start)
        return Waiting(admission, gateway.clocks, client, partial(self._waited, found, start)).line_up()

    def _open(self, request: MountedRequest, worker: Worker, body: bytes, start: Start, waited: float = 0.0) -> bool:
        try:
            began = monotonic() - waited if waited else None
            exchange, relay = self._gateway.open(request, worker, body, End.BODY, began)
        except Problem:
            return False
        relay.waited = waited
        if body:
            relay.received = len(body)
            request.client.body_taken()
        exchange.listen(partial(self._heard, request, exchange, relay, start))
        return True

    def _waited(self, request: MountedRequest, start: Start, waiting: Waiting, outcome: Outcome) -> None:
        """Called when a request that waited gets a worker, is refused, or is abandoned by its client."""
        seconds = waiting.seconds
        if isinstance(outcome, Worker):
            body = request.client.whole_body()
            fits = body is not None and outcome.order is request.mount.order
            if not (fits and self._open(request, outcome, body or b"", start, seconds)):
                # The plugin was replaced meanwhile: start again on the general path.
                start(partial(self._gateway.handle, request.client))
            return
        trip = request.trip(monotonic() - seconds)
        trip.waited = seconds
        start(partial(self._refuse, request, trip, outcome))

    async def _refuse(self, request: MountedRequest, trip: Trip, outcome: NoPlace | None, *_: object) -> None:
        await self._gateway.conclude(self._give_up(request, outcome), request.client, trip)

    @staticmethod
    async def _give_up(request: MountedRequest, outcome: NoPlace | None) -> None:
        if outcome is not None:
            raise no_place(outcome, request.mount.supervisor.plugin)
        # The client has left. On the general path its task would be cancelled.
        raise asyncio.CancelledError

    def _heard(self, request: MountedRequest, exchange: Exchange, relay: Relay, start: Start) -> None:
        """Called when the exchange has its first message: the worker's answer, or an error."""
        try:
            if relay.answer_at_once():
                self._gateway.end(request, exchange, relay)
                self._tell(request, relay)
            else:
                start(partial(self._go_on, request, exchange, relay))
        # The caller handles other requests too: a bug must affect this one only.
        except Exception:
            log.critical("gateway.defect", exc_info=True, request=request.id)
            request.client.abort()
            self._gateway.end(request, exchange, relay)

    def _tell(self, request: MountedRequest, relay: Relay) -> None:
        trips = self._gateway.trips
        if trips.tell is None:
            trips.answered_at_once(request.mount.supervisor.traffic, relay)
        else:
            trips.over(_trip(request, relay))

    async def _go_on(self, request: MountedRequest, exchange: Exchange, relay: Relay, *_: object) -> None:
        gateway = self._gateway
        work = gateway.see_through(request, exchange, relay)
        await gateway.conclude(work, request.client, _trip(request, relay))


def _trip(request: MountedRequest, relay: Relay) -> Trip:
    trip = request.trip(relay.began - relay.waited)
    trip.relay, trip.waited = relay, relay.waited
    return trip
