"""A request whose endpoint is known, on its way to a worker."""

from dataclasses import dataclass
from typing import Any

from endpointd.channel.exchange import Exchange
from endpointd.gateway.client import Client
from endpointd.gateway.heads import RequestHead
from endpointd.gateway.mount import Mount
from endpointd.gateway.problems import Problem
from endpointd.gateway.trips import Trip
from endpointd.plugins.routing import Matched
from endpointd.supervisor.worker import Worker
from endpointd_wire.errors import LocalWireError
from endpointd_wire.messages import End, Request

PREFIX = b"/e/"

_SCHEMES = {"ws": "http", "wss": "https"}
"""The schemes of WebSocket requests, and those that plugins see: such requests are answered as plain requests."""


@dataclass(slots=True)
class MountedRequest:
    """`path` is the part of the path after the endpoint's own, still percent-encoded. `mount` and `route` are replaced
    if the plugin is replaced before the request gets its place at a worker."""

    scope: dict[str, Any]
    client: Client
    id: str
    head: RequestHead
    mount: Mount
    path: bytes
    route: Matched

    def trip(self, began: float) -> Trip:
        return self.tell(Trip(self.id, self.scope, began))

    def tell(self, trip: Trip) -> Trip:
        """Fill in the trip's plugin, endpoint and interface. Returns the trip."""
        mount = self.mount
        trip.plugin, trip.hook = mount.supervisor.plugin, mount.endpoint.hook_id
        trip.traffic = mount.supervisor.traffic
        trip.interface = mount.routes.patterns[self.route.interface]
        return trip

    def send(self, worker: Worker, body: bytes, end: End, public_url: str | None) -> Exchange:
        """Send the request to `worker`, with the first piece of its body. Raises `Problem` if it is too large."""
        scope, head, mount, route = self.scope, self.head, self.mount, self.route
        scheme = _SCHEMES.get(scope["scheme"], scope["scheme"])
        base = public_url.encode() if public_url else b"%s://%s" % (scheme.encode(), head.host)
        script = mount.script.encode()
        head.headers.append((b"dify-hook-id", script[len(PREFIX) :]))
        head.headers.append((b"dify-hook-url", base + script + self.path))
        try:
            return worker.channel.open(
                lambda stream: Request(
                    stream,
                    mount.sources[route.interface],
                    self.id,
                    scope["method"],
                    scheme,
                    scope["http_version"],
                    mount.script,
                    self.path,
                    scope["query_string"],
                    tuple(head.headers),
                    route.values,
                    mount.endpoint.settings,
                    scope["client"] or ("", 0),
                    scope["server"] or ("", 0),
                    end,
                    body,
                )
            )
        except LocalWireError as error:
            raise Problem(500, "request_too_large", str(error), mount.supervisor.plugin) from error
