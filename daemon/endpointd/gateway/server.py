"""uvicorn, embedded: the listening socket and the connections are its own, signals and shutdown are the daemon's."""

import contextlib
import socket
from collections.abc import Generator, Sequence
from typing import Any

import uvicorn

from endpointd.gateway.clocks import Clocks
from endpointd.gateway.direct import DirectPath
from endpointd.gateway.gateway import Gateway
from endpointd.gateway.http import ClientProtocol, HttpLimits

BACKLOG = 2048


class HttpServer(uvicorn.Server):
    """Serves until `stop`, then answers what is under way."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """The daemon's signals are not uvicorn's business."""
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets)
        # It has cancelled the tasks that were left, and knows nothing of requests without one.
        for connection in list(self.server_state.connections):
            if isinstance(connection, ClientProtocol):
                connection.give_up()

    def stop(self, *, at_once: bool = False) -> None:
        self.should_exit = True
        self.force_exit = at_once


def build_server(
    gateway: Gateway,
    clocks: Clocks,
    limits: HttpLimits,
    *,
    clock_keep_alive: float,
    clock_drain: float,
    trusted_proxies: Sequence[str],
) -> HttpServer:
    direct = DirectPath(gateway)

    def make_protocol(**arguments: Any) -> ClientProtocol:  # noqa: ANN401 - uvicorn's own
        # What a trusted proxy says of a request, uvicorn tells the application alone.
        return ClientProtocol(limits, clocks, *([] if trusted_proxies else [direct.begin]), **arguments)

    config = uvicorn.Config(
        gateway,
        http=make_protocol,  # type: ignore[arg-type]
        ws="none",
        lifespan="off",
        interface="asgi3",
        access_log=False,
        log_config=None,
        # Its start and its end the daemon tells itself, and what clients send amiss is no event of ours.
        log_level="error",
        server_header=False,
        date_header=False,
        proxy_headers=bool(trusted_proxies),
        forwarded_allow_ips=[str(network) for network in trusted_proxies],
        timeout_keep_alive=clock_keep_alive,  # type: ignore[arg-type]
        timeout_graceful_shutdown=clock_drain,  # type: ignore[arg-type]
        backlog=BACKLOG,
    )
    return HttpServer(config)


def bind(host: str, port: int) -> socket.socket:
    """A listening socket. Raises `OSError`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    found = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    listener = socket.socket(*found[0][:3])
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(found[0][4])
        # Of two that begin at the same moment, both may bind the address; only here does the second one learn of it.
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener
