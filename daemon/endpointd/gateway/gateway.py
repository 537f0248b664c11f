"""What uvicorn calls for a request: which endpoint, which interface, which worker; then the relay."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from itertools import count
from time import monotonic
from typing import Any, TypeAlias
from urllib.parse import unquote_to_bytes

from endpointd.callers.guard import Guard
from endpointd.endpoints import Endpoint
from endpointd.exchange import Exchange
from endpointd.gateway.answers import answer, refuse, show
from endpointd.gateway.client import Client
from endpointd.gateway.clocks import Clocks
from endpointd.gateway.failures import body_too_large, no_place
from endpointd.gateway.heads import RequestHead, read_request_head
from endpointd.gateway.problems import Problem, redirect, retry_after
from endpointd.gateway.relay import Relay, RelayLimits
from endpointd.gateway.trips import Trip, Trips
from endpointd.gateway.visits import Preflight, let_in, visit_of
from endpointd.routing import Matched, MethodNotAllowed, Redirect, RouteTable
from endpointd.supervisor.admission import NoPlace
from endpointd.supervisor.supervisor import Supervisor
from endpointd.supervisor.worker import Worker, WorkerOrder
from endpointd_wire.errors import LocalWireError
from endpointd_wire.frames import MAX_PIECE
from endpointd_wire.messages import End, Request

PREFIX = b"/e/"

Page: TypeAlias = Callable[[], tuple[int, str]]

_SCHEMES = {"ws": "http", "wss": "https"}
"""What a proxy calls the scheme of an Upgrade request, which is answered as if it asked for none."""


@dataclass(frozen=True, slots=True)
class Mount:
    """An endpoint in its place: what is needed to answer a request for it.

    `script` is its path, `/e/<hook id>`; `sources` has, for each interface of `routes`, the place of its source among
    those that a worker of `order` loaded. `guard` is None where everybody may call.
    """

    endpoint: Endpoint
    script: str
    routes: RouteTable
    sources: tuple[int, ...]
    supervisor: Supervisor
    limits: RelayLimits
    order: WorkerOrder
    guard: Guard | None = None


@dataclass(slots=True)
class Call:
    """One request on its way through the gateway."""

    scope: dict[str, Any]
    client: Client
    id: str
    head: RequestHead
    mount: Mount
    path: bytes

    def trip(self, began: float, interface: int) -> Trip:
        return self.tell(Trip(self.id, self.scope, began), interface)

    def tell(self, trip: Trip, interface: int) -> Trip:
        """The trip, which knows for whom it is now."""
        mount = self.mount
        trip.plugin, trip.hook = mount.supervisor.plugin, mount.endpoint.hook_id
        trip.traffic = mount.supervisor.traffic
        trip.interface = mount.routes.patterns[interface]
        return trip


class Gateway:
    """`mounts` is read at every request; whoever owns it may change it at any time. `refusal` is asked what to say
    about a hook id that is not among them, and returns None when it has never been. `pages` are the host's own, at
    their paths: each gives a status and a text."""

    def __init__(
        self,
        mounts: Mapping[str, Mount],
        clocks: Clocks,
        public_url: str | None,
        refusal: Callable[[str], Problem | None] = lambda _: None,
        trips: Trips | None = None,
        pages: Mapping[bytes, Page] | None = None,
    ) -> None:
        self.trips = trips or Trips()
        self._pages = pages or {}
        self._mounts = mounts
        self._refusal = refusal
        self.clocks = clocks
        self._public_url = public_url
        self._run = secrets.token_hex(4)
        self._numbers = count(1)

    async def __call__(self, scope: dict[str, Any], *_: object) -> None:
        # Taken out, because the client knows the scope as well and a cycle is only freed by a collection.
        await self.handle(scope.pop("endpointd.client"), scope)

    # The body is read from the client and the answer written to it, without ASGI's messages: those copy every piece.
    async def handle(self, client: Client, scope: dict[str, Any], *_: object) -> None:
        trip = Trip(self.next_id(), scope, monotonic())
        await self.conclude(self._serve(scope, client, trip), client, trip)

    def next_id(self) -> str:
        return f"{self._run}-{next(self._numbers):x}"

    async def conclude(self, work: Awaitable[None], client: Client, trip: Trip) -> None:
        """Do the work, and tell the client what has come in its way."""
        try:
            try:
                await work
            except Problem as problem:
                trip.refused(problem)
                await refuse(client, problem, trip.id, self._more_headers(trip))
        except asyncio.CancelledError:
            # The client has gone, or the daemon ends and cannot wait any longer.
            client.abort()
        finally:
            self.trips.over(trip)

    async def _serve(self, scope: dict[str, Any], client: Client, trip: Trip) -> None:
        page = self._pages.get(scope["raw_path"])
        if page is not None and scope["method"] in ("GET", "HEAD"):
            trip.status, text = page()
            await show(client, trip.status, text)
            return
        found = self.read(scope, client, trip.id)
        if isinstance(found, Redirect):
            trip.status = 308
            await answer(client, 308, [*redirect(found.location), *self._more_headers(trip)], b"")
        elif isinstance(found, Preflight):
            trip.status = 204
            self._more_headers(trip)
            await answer(client, 204, found.headers, b"")
        else:
            await self._relay(trip, *found)

    def read(
        self, scope: dict[str, Any], client: Client, request_id: str
    ) -> tuple[Call, Matched] | Redirect | Preflight:
        """All that can be told of a request by its head. Raises `Problem`."""
        head = read_request_head(scope["headers"])
        if head.hosts != 1 and (head.hosts or scope["http_version"] != "1.0"):
            raise Problem(400, "request_malformed", f"the request has {head.hosts} Host headers; it must have one")
        if head.coding not in (b"", b"chunked"):
            raise Problem(501, "coding_unknown", "the only Transfer-Encoding that is understood is chunked")
        mount, path = self._find(scope)
        if mount.guard is not None:
            preflight = let_in(mount.guard, scope, head.headers, mount)
            if preflight is not None:
                return preflight
        if path is None:
            query = scope["query_string"]
            return Redirect(f"{mount.script}/{'?' if query else ''}{query.decode('latin-1')}")
        call = Call(scope, client, request_id, head, mount, path)
        route = self._route(call)
        if isinstance(route, Redirect):
            return route
        if head.length is not None and head.length > mount.limits.body:
            raise body_too_large(mount.limits.body, mount.supervisor.plugin)
        return call, route

    @staticmethod
    def _more_headers(trip: Trip) -> tuple[tuple[bytes, bytes], ...]:
        """What the host's own answer gets where the endpoint has rules for its callers; the trip is told whose it
        is."""
        visit = visit_of(trip.scope)
        if visit is None:
            return ()
        if trip.traffic is None:
            mount: Mount = visit.owner
            trip.plugin, trip.hook = mount.supervisor.plugin, mount.endpoint.hook_id
            trip.traffic = mount.supervisor.traffic
        return () if visit.dress is None else visit.dress.plain()

    def _find(self, scope: dict[str, Any]) -> tuple[Mount, bytes | None]:
        """What is mounted at the hook id of a request, and the path behind it; None for one without its slash."""
        raw: bytes = scope["raw_path"]
        if not raw.startswith(PREFIX):
            raise Problem(404, "path_unknown", "only paths below /e/ are served here")
        hook, slash, rest = raw[len(PREFIX) :].partition(b"/")
        name = hook.decode("latin-1")
        mount = self._mounts.get(name)
        if mount is None:
            raise self._unknown(name)
        return mount, b"/" + rest if slash else None

    def _unknown(self, hook: str) -> Problem:
        return self._refusal(hook) or Problem(404, "endpoint_unknown", f"there is no endpoint {hook!r} here")

    def _route(self, call: Call) -> Matched | Redirect:
        mount, path = call.mount, call.path
        decoded = (unquote_to_bytes(path) if b"%" in path else path).decode("utf-8", "replace")
        method = call.scope["method"]
        query = call.scope["query_string"].decode("latin-1")
        route = mount.routes.match(decoded, method, query, mount.script)
        if isinstance(route, (Matched, Redirect)):
            return route
        plugin = mount.supervisor.plugin
        if isinstance(route, MethodNotAllowed):
            allow = ", ".join(route.allow)
            headers = ((b"allow", allow.encode()),)
            raise Problem(405, "method_not_allowed", f"{method} is not allowed here, but {allow}", plugin, headers)
        raise Problem(404, "interface_unknown", f"the plugin has no interface for {decoded}", plugin)

    # Relaying

    async def _relay(self, trip: Trip, call: Call, route: Matched) -> None:
        call.tell(trip, route.interface)
        body, more = await self._first_piece(call) if call.head.has_body else (b"", False)
        admission = call.mount.supervisor.admission
        worker = admission.enter_at_once()
        if worker is None:
            since = monotonic()
            try:
                worker = await self._enter(call)
            finally:
                trip.waited = monotonic() - since
        if worker.order is not call.mount.order:
            route = self._route_again(call, worker)
        first, rest = (body, b"") if len(body) <= MAX_PIECE else (body[:MAX_PIECE], body[MAX_PIECE:])
        end = End.MORE if more or rest else End.BODY
        exchange, relay = self.open(call, worker, route, first, end, trip.began)
        trip.relay, relay.received = relay, len(body)
        pump = None
        if end is End.MORE:
            pump = asyncio.create_task(relay.pump(rest, more, len(body)))
        await self.see_through(call, exchange, relay, pump)

    async def see_through(
        self, call: Call, exchange: Exchange, relay: Relay, pump: asyncio.Task[None] | None = None
    ) -> None:
        try:
            await relay.run()
        finally:
            self.end(call, exchange, relay, pump)

    def end(self, call: Call, exchange: Exchange, relay: Relay, pump: asyncio.Task[None] | None = None) -> None:
        relay.end()
        if relay.latency is not None:
            call.mount.supervisor.latencies.add(relay.latency)
        call.client.on_gone = None
        if pump is not None and not pump.done():
            pump.cancel()
            exchange.cancel("the rest of the body is not going to come")
        elif not relay.answered:
            exchange.cancel("the request was abandoned")

    def open(
        self, call: Call, worker: Worker, route: Matched, body: bytes, end: End, began: float | None = None
    ) -> tuple[Exchange, Relay]:
        """Hand the request to `worker`. From now on the relay's clocks run, and it hears when the client goes."""
        begin = self.trips.begin
        if begin is None:
            exchange = self._send(call, worker, route, body, end)
        else:
            trace = begin(call.scope, call.head.headers, began)
            exchange = self._send(call, worker, route, body, end)
            exchange.trace = trace
        exchange.request, exchange.interface = call.id, call.mount.routes.patterns[route.interface]
        relay = Relay(
            exchange,
            self.clocks,
            call.client,
            call.mount.limits,
            call.scope["method"],
            call.scope["http_version"],
            call.mount.supervisor.plugin,
        )
        if call.mount.guard is not None and (visit := visit_of(call.scope)) is not None:
            relay.dress = visit.dress
        call.client.on_gone = relay.client_gone
        if call.client.gone:
            relay.client_gone()
        self.clocks.add(relay)
        return exchange, relay

    async def _first_piece(self, call: Call) -> tuple[bytes, bool]:
        """The first piece of the body, and whether more may follow."""
        limits, plugin = call.mount.limits, call.mount.supervisor.plugin
        try:
            async with asyncio.timeout(None if call.client.has_input() else limits.client_idle or None):
                heard = await call.client.receive()
        except TimeoutError:
            detail = f"nothing of the body came in {limits.client_idle:g} s"
            raise Problem(408, "clock_client_idle", detail, plugin) from None
        if heard is None:
            raise asyncio.CancelledError
        if len(heard[0]) > limits.body:
            raise body_too_large(limits.body, plugin)
        return heard

    def _route_again(self, call: Call, worker: Worker) -> Matched:
        """The plugin was replaced while the request waited, for its body or for a place: the routes hold of the version
        that `worker` runs."""
        hook = call.mount.endpoint.hook_id
        mount = self._mounts.get(hook)
        if mount is None or mount.order is not worker.order:
            raise self._unknown(hook)
        call.mount = mount
        again = self._route(call)
        if isinstance(again, Redirect):
            raise Problem(
                503,
                "plugin_changed",
                "the plugin was replaced by a version with other paths",
                mount.supervisor.plugin,
                retry_after(1),
            )
        return again

    async def _enter(self, call: Call) -> Worker:
        """Wait for a place."""
        task = asyncio.current_task()
        assert task is not None
        call.client.on_gone = task.cancel  # type: ignore[assignment]
        try:
            return await call.mount.supervisor.admission.enter()
        except NoPlace as error:
            raise no_place(error, call.mount.supervisor.plugin) from error
        finally:
            call.client.on_gone = None

    def _send(self, call: Call, worker: Worker, route: Matched, body: bytes, end: End) -> Exchange:
        scope, head = call.scope, call.head
        scheme = _SCHEMES.get(scope["scheme"], scope["scheme"])
        base = self._public_url.encode() if self._public_url else b"%s://%s" % (scheme.encode(), head.host)
        script = call.mount.script.encode()
        head.headers.append((b"dify-hook-id", script[len(PREFIX) :]))
        head.headers.append((b"dify-hook-url", base + script + call.path))
        try:
            return worker.channel.open(
                lambda stream: Request(
                    stream,
                    call.mount.sources[route.interface],
                    call.id,
                    scope["method"],
                    scheme,
                    scope["http_version"],
                    call.mount.script,
                    call.path,
                    scope["query_string"],
                    tuple(head.headers),
                    route.values,
                    call.mount.endpoint.settings,
                    scope["client"] or ("", 0),
                    scope["server"] or ("", 0),
                    end,
                    body,
                )
            )
        except LocalWireError as error:
            raise Problem(500, "request_too_large", str(error), call.mount.supervisor.plugin) from error
