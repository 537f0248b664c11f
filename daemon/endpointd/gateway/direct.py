"""The direct path: for a request all of which is here, a worker with a free place, and an answer in one piece.

Most are like that. Such a request goes to its worker in the turn of the event loop in which it came, and the answer to
its client likewise, without a task, a future or a message of ASGI's: those take more time than all else that the host
does for a request. What is read, refused and sent is decided by the gateway and the relay, as on the general path.
Whatever turns out to be different goes on there: before the worker has heard of it, or once it has said something.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeAlias

import structlog

from endpointd.channel import Exchange
from endpointd.gateway.client import Client
from endpointd.gateway.gateway import Call, Gateway
from endpointd.gateway.problems import Problem
from endpointd.gateway.relay import Receive, Relay, Send
from endpointd.gateway.trips import Trip
from endpointd.routing import Redirect
from endpointd_wire.frames import MAX_PIECE
from endpointd_wire.messages import End

Application: TypeAlias = Callable[[Any, Receive, Send], Awaitable[None]]
Start: TypeAlias = Callable[[Application], None]

log = structlog.get_logger()


class DirectPath:
    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def begin(
        self, scope: dict[str, Any], receive: Receive, send: Send, client: Client, body: bytes, start: Start
    ) -> bool:
        """Hand a request with its whole `body` to a worker. False, and nothing has happened, when it has to wait or to
        be refused.

        `start` is given the application that goes on when the answer is not there in one piece.
        """
        gateway = self._gateway
        try:
            found = gateway.read(scope, receive, send, client, gateway.next_id())
            if isinstance(found, Redirect):
                return False
            call, route = found
            worker = call.mount.supervisor.admission.enter_at_once()
            if worker is None or len(body) > min(call.mount.limits.body, MAX_PIECE):
                return False
            exchange, relay = gateway.open(call, worker, route, body, End.BODY)
        except Problem:
            return False
        relay.received = len(body)
        exchange.listen(partial(self._heard, call, route.interface, exchange, relay, start))
        return True

    def _heard(self, call: Call, interface: int, exchange: Exchange, relay: Relay, start: Start) -> None:
        """The worker, the client or a clock has something to say."""
        try:
            if relay.answer_at_once():
                self._gateway.end(call, exchange, relay)
                self._tell(call, interface, relay)
            else:
                start(partial(self._go_on, call, interface, exchange, relay))
        # Whoever calls has other requests as well: a defect here is to be the end of this one alone.
        except Exception:
            log.critical("gateway.defect", exc_info=True, request=call.id)
            call.client.abort()
            self._gateway.end(call, exchange, relay)

    def _tell(self, call: Call, interface: int, relay: Relay) -> None:
        trips = self._gateway.trips
        if trips.tell is None:
            trips.answered_at_once(call.mount.supervisor.traffic, relay)
        else:
            trips.over(_trip(call, interface, relay))

    async def _go_on(self, call: Call, interface: int, exchange: Exchange, relay: Relay, *_: object) -> None:
        gateway = self._gateway
        work = gateway.see_through(call, exchange, relay)
        await gateway.conclude(work, call.send, call.client, _trip(call, interface, relay))


def _trip(call: Call, interface: int, relay: Relay) -> Trip:
    trip = call.trip(relay.began, interface)
    trip.relay = relay
    return trip
