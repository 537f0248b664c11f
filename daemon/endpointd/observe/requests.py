"""The log of requests: one line for each finished request, without anything that could be a secret.

Whoever knows a hook id can call the endpoint, and paths and queries may contain confidential data. Instead of these,
the log has the plugin, the name of the endpoint or the beginning of its hook id, and the interface.
"""

import asyncio
from collections.abc import Callable

import structlog

from endpointd.gateway.trips import Trip
from endpointd.logs import logs

log = structlog.get_logger()

SHOWN = 6
"""The number of characters of a hook id that are shown: enough to distinguish endpoints."""


class RequestLog:
    """`name_of` returns the name that an operator gave to the endpoint with a hook id, or an empty string.

    The lines of one turn of the event loop are written together at its end. That takes less time than writing each
    between two requests, because the code stays in the CPU's caches, and the reader of the log is woken only once.
    """

    def __init__(self, name_of: Callable[[str], str]) -> None:
        self._name_of = name_of
        # A bound logger, because the module's lazy one would look up its configuration at each call.
        self._log = log.bind()
        self._unwritten: list[dict[str, object]] = []

    def endpoint_of(self, hook: str) -> str:
        """What may be shown of an endpoint: its name, or the beginning of its hook id."""
        return self._name_of(hook) or hook[:SHOWN]

    def tell(self, trip: Trip) -> None:
        relay, scope = trip.relay, trip.scope
        latency = relay.latency if relay is not None else None
        client, end = scope["client"], trip.end
        fields: dict[str, object] = {
            "request": trip.id,
            "plugin": trip.plugin or None,
            "endpoint": self.endpoint_of(trip.hook) if trip.hook else None,
            "interface": trip.interface or scope["method"],
            "client": client[0] if client else None,
            "status": trip.status or None,
            "end": None if end[1:] == "xx" else end,
            "code": trip.code or None,
            "bytes_in": relay.received if relay is not None else 0,
            "bytes_out": relay.sent if relay is not None else 0,
            "queue": round(trip.waited, 6),
            "first_byte": None if latency is None else round(latency, 6),
            "total": round(trip.total, 6),
            "trace": trip.trace or None,
        }
        if not self._unwritten:
            asyncio.get_running_loop().call_soon(self._write)
        self._unwritten.append(fields)

    def _write(self) -> None:
        unwritten, self._unwritten = self._unwritten, []
        with logs.together():
            for fields in unwritten:
                self._log.info("request.served", **{key: value for key, value in fields.items() if value is not None})
