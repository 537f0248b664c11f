"""The application that uvicorn calls for each request. It finds the endpoint, the interface and a worker, and then
relays the request."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping
from itertools import count
from time import monotonic
from typing import Any, TypeAlias
from urllib.parse import unquote_to_bytes

from endpointd.channel.exchange import Exchange
from endpointd.gateway.answers import answer, refuse, show
from endpointd.gateway.client import Client
from endpointd.gateway.clocks import Clocks
from endpointd.gateway.failures import body_too_large, no_place
from endpointd.gateway.heads import read_request_head
from endpointd.gateway.mount import Mount
from endpointd.gateway.mounted_request import PREFIX, MountedRequest
from endpointd.gateway.problems import Problem, redirect, retry_after
from endpointd.gateway.relay import Relay
from endpointd.gateway.trips import Trip, Trips
from endpointd.gateway.visits import Preflight, let_in, visit_of
from endpointd.plugins.routing import Matched, MethodNotAllowed, Redirect
from endpointd.supervisor.admission import NoPlace
from endpointd.supervisor.worker import Worker
from endpointd_wire.frames import MAX_PIECE
from endpointd_wire.messages import End

Page: TypeAlias = Callable[[], tuple[int, str]]


class Gateway:
    """`mounts` are the endpoints by hook id. It is read at every request, and its owner may change it at any time.
    `refusal` is called with a hook id that is not in `mounts`; it returns None if the id has never existed. `pages` are
    the host's own pages by path: each is called for a status and a text."""

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
        # Removed from the scope, which the client refers to: a reference cycle is only freed by a garbage collection.
        await self.handle(scope.pop("endpointd.client"), scope)

    # Reads the body from, and writes the answer to, the client directly: ASGI's messages would copy every piece.
    async def handle(self, client: Client, scope: dict[str, Any], *_: object) -> None:
        trip = Trip(self.next_id(), scope, monotonic())
        await self.conclude(self._serve(scope, client, trip), client, trip)

    def next_id(self) -> str:
        return f"{self._run}-{next(self._numbers):x}"

    async def conclude(self, work: Awaitable[None], client: Client, trip: Trip) -> None:
        """Do the work. If it raises `Problem`, answer the client with it; if it is cancelled, break the connection."""
        try:
            try:
                await work
            except Problem as problem:
                trip.refused(problem)
                await refuse(client, problem, trip.id, self._more_headers(trip))
        except asyncio.CancelledError:
            # The client has gone, or the daemon ends and does not wait any longer.
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
            await self._relay(trip, found)

    def read(self, scope: dict[str, Any], client: Client, request_id: str) -> MountedRequest | Redirect | Preflight:
        """Decide what to do with a request, by its head alone. Raises `Problem`."""
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
        route = self._route(scope, mount, path)
        if isinstance(route, Redirect):
            return route
        return MountedRequest(scope, client, request_id, head, mount, path, route)

    @staticmethod
    def _more_headers(trip: Trip) -> tuple[tuple[bytes, bytes], ...]:
        """Further headers for an answer of the host's own, if the endpoint has rules for its callers. Also tells the
        trip for which endpoint it is."""
        visit = visit_of(trip.scope)
        if visit is None:
            return ()
        if trip.traffic is None:
            mount = visit.mount
            trip.plugin, trip.hook = mount.supervisor.plugin, mount.endpoint.hook_id
            trip.traffic = mount.supervisor.traffic
        return () if visit.cors is None else visit.cors.plain()

    def _find(self, scope: dict[str, Any]) -> tuple[Mount, bytes | None]:
        """The endpoint with the hook id of a request, and the path behind it; None if even the slash is missing."""
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

    @staticmethod
    def _route(scope: dict[str, Any], mount: Mount, path: bytes) -> Matched | Redirect:
        decoded = (unquote_to_bytes(path) if b"%" in path else path).decode("utf-8", "replace")
        method = scope["method"]
        query = scope["query_string"].decode("latin-1")
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

    async def _relay(self, trip: Trip, request: MountedRequest) -> None:
        request.tell(trip)
        limit, length = request.mount.limits.body, request.head.length
        if length is not None and length > limit:
            raise body_too_large(limit, request.mount.supervisor.plugin)
        body, more = await self._first_piece(request) if request.head.has_body else (b"", False)
        admission = request.mount.supervisor.admission
        worker = admission.enter_at_once()
        if worker is None:
            since = monotonic()
            try:
                worker = await self._enter(request)
            finally:
                trip.waited = monotonic() - since
        if worker.order is not request.mount.order:
            self._route_again(request, worker)
        first, rest = (body, b"") if len(body) <= MAX_PIECE else (body[:MAX_PIECE], body[MAX_PIECE:])
        end = End.MORE if more or rest else End.BODY
        exchange, relay = self.open(request, worker, first, end, trip.began)
        trip.relay, relay.received = relay, len(body)
        pump = None
        if end is End.MORE:
            pump = asyncio.create_task(relay.pump(rest, more, len(body)))
        await self.see_through(request, exchange, relay, pump)

    async def see_through(
        self, request: MountedRequest, exchange: Exchange, relay: Relay, pump: asyncio.Task[None] | None = None
    ) -> None:
        try:
            await relay.run()
        finally:
            self.end(request, exchange, relay, pump)

    def end(
        self, request: MountedRequest, exchange: Exchange, relay: Relay, pump: asyncio.Task[None] | None = None
    ) -> None:
        relay.end()
        if relay.latency is not None:
            request.mount.supervisor.latencies.add(relay.latency)
        request.client.on_gone = None
        if pump is not None and not pump.done():
            pump.cancel()
            exchange.cancel("the rest of the body is not going to come")
        elif not relay.answered:
            exchange.cancel("the request was abandoned")

    def open(
        self, request: MountedRequest, worker: Worker, body: bytes, end: End, began: float | None = None
    ) -> tuple[Exchange, Relay]:
        """Hand the request to `worker`. From now on the relay's timeouts run, and it is notified when the client
        disconnects. Raises `Problem`."""
        begin = self.trips.begin
        if begin is None:
            exchange = request.send(worker, body, end, self._public_url)
        else:
            trace = begin(request.scope, request.head.headers, began)
            exchange = request.send(worker, body, end, self._public_url)
            exchange.trace = trace
        exchange.request, exchange.interface = request.id, request.mount.routes.patterns[request.route.interface]
        relay = Relay(
            exchange,
            self.clocks,
            request.client,
            request.mount.limits,
            request.scope["method"],
            request.scope["http_version"],
            request.mount.supervisor.plugin,
        )
        if request.mount.guard is not None and (visit := visit_of(request.scope)) is not None:
            relay.cors = visit.cors
        request.client.on_gone = relay.client_gone
        if request.client.gone:
            relay.give_up()
        self.clocks.add(relay)
        return exchange, relay

    async def _first_piece(self, request: MountedRequest) -> tuple[bytes, bool]:
        """Wait for the first piece of the body. Returns it, and whether more may follow. Raises `Problem`, or
        `CancelledError` if the client has gone."""
        limits, plugin = request.mount.limits, request.mount.supervisor.plugin
        try:
            async with asyncio.timeout(None if request.client.has_input() else limits.clock_client_idle or None):
                heard = await request.client.receive()
        except TimeoutError:
            detail = f"nothing of the body came in {limits.clock_client_idle:g} s"
            raise Problem(408, "clock_client_idle", detail, plugin) from None
        if heard is None:
            raise asyncio.CancelledError
        if len(heard[0]) > limits.body:
            raise body_too_large(limits.body, plugin)
        return heard

    def _route_again(self, request: MountedRequest, worker: Worker) -> None:
        """Match the request again, because the plugin was replaced while the request waited for its body or for a
        place. The routes must be those of the version that `worker` runs. Raises `Problem`."""
        hook = request.mount.endpoint.hook_id
        mount = self._mounts.get(hook)
        if mount is None or mount.order is not worker.order:
            raise self._unknown(hook)
        again = self._route(request.scope, mount, request.path)
        if isinstance(again, Redirect):
            raise Problem(
                503,
                "plugin_changed",
                "the plugin was replaced by a version with other paths",
                mount.supervisor.plugin,
                retry_after(1),
            )
        request.mount, request.route = mount, again

    async def _enter(self, request: MountedRequest) -> Worker:
        """Wait for a place at a worker. Raises `Problem`; is cancelled if the client disconnects."""
        task = asyncio.current_task()
        assert task is not None
        request.client.on_gone = task.cancel  # type: ignore[assignment]
        try:
            return await request.mount.supervisor.admission.enter()
        except NoPlace as error:
            raise no_place(error, request.mount.supervisor.plugin) from error
        finally:
            request.client.on_gone = None
