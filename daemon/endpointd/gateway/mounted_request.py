"""A request whose endpoint is known, on its way to a worker."""

from dataclasses import dataclass
from typing import Any

from endpointd.exchange import Exchange
from endpointd.gateway.client import Client
from endpointd.gateway.heads import RequestHead
from endpointd.gateway.mount import Mount
from endpointd.gateway.problems import Problem
from endpointd.gateway.trips import Trip
from endpointd.routing import Matched
from endpointd.supervisor.worker import Worker
from endpointd_wire.errors import LocalWireError
from endpointd_wire.messages import End, Request

PREFIX = b"/e/"

_SCHEMES = {"ws": "http", "wss": "https"}
"""What a proxy calls the scheme of an Upgrade request, which is answered as if it asked for none."""


@dataclass(slots=True)
class MountedRequest:
    """`path` is what follows the endpoint's own. `mount` and `route` become others when the plugin is replaced before
    it is the request's turn."""

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
        """The trip, which knows for whom it is now."""
        mount = self.mount
        trip.plugin, trip.hook = mount.supervisor.plugin, mount.endpoint.hook_id
        trip.traffic = mount.supervisor.traffic
        trip.interface = mount.routes.patterns[self.route.interface]
        return trip

    def send(self, worker: Worker, body: bytes, end: End, public_url: str | None) -> Exchange:
        """Send it to `worker`, with the first piece of its body. Raises `Problem` when it is too large."""
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
