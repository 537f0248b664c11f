"""Embeds uvicorn: it handles the listening sockets and the connections, while the daemon handles signals and
shutdown."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Generator
from typing import Any

import uvicorn

from endpointd.gateway.clocks import Clocks
from endpointd.gateway.direct import DirectPath
from endpointd.gateway.forwarded import Proxies
from endpointd.gateway.gateway import Gateway
from endpointd.gateway.http import ClientProtocol
from endpointd.gateway.limits import HttpLimits

BACKLOG = 4096
"""How many connections may wait to be accepted, if the system allows as many. The same number as in the systemd unit:
it replaces the backlog of a socket that was passed on."""


class HttpServer(uvicorn.Server):
    """Serves until `stop`, then finishes the requests that are under way. With `tls`, TCP connections use TLS; unix
    sockets never do."""

    def __init__(self, config: uvicorn.Config, limits: HttpLimits, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(config)
        self._limits = limits
        self._tls = tls

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's, which does not treat its sockets differently."""
        self.servers = [await self._serve_at(listener) for listener in sockets or ()]
        self.started = True

    async def _serve_at(self, listener: socket.socket) -> asyncio.Server:
        loop = asyncio.get_running_loop()
        tls = None if listener.family == socket.AF_UNIX else self._tls
        # The timeout for the TLS handshake. It stays the same while the server listens, even if the limits change.
        clock = (self._limits.clock_header or None) if tls else None
        # Not `create_unix_server`: since Python 3.13 it removes the socket's file on closing, even a service manager's.
        return await loop.create_server(
            self._protocol, sock=listener, backlog=BACKLOG, ssl=tls, ssl_handshake_timeout=clock
        )

    def _protocol(self) -> asyncio.Protocol:
        make = self.config.http_protocol_class
        return make(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)  # type: ignore[call-arg]

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Keep uvicorn from handling signals: the daemon does."""
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.config.timeout_graceful_shutdown = self._limits.clock_drain  # type: ignore[assignment]
        await super().shutdown(sockets)
        # uvicorn has cancelled the remaining tasks, but does not know of requests without one.
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
    proxies: Proxies | None,
    tls: ssl.SSLContext | None = None,
) -> HttpServer:
    direct = DirectPath(gateway)

    def make_protocol(**arguments: Any) -> ClientProtocol:  # noqa: ANN401 - uvicorn's own
        return ClientProtocol(limits, clocks, direct.begin, proxies, **arguments)

    config = uvicorn.Config(
        gateway,
        http=make_protocol,  # type: ignore[arg-type]
        ws="none",
        lifespan="off",
        interface="asgi3",
        access_log=False,
        log_config=None,
        # The daemon logs the start and the end itself, and malformed requests are not logged.
        log_level="error",
        server_header=False,
        date_header=False,
        # `ClientProtocol` handles these headers, for the direct path too.
        proxy_headers=False,
        backlog=BACKLOG,
    )
    return HttpServer(config, limits, tls)


def bind(host: str, port: int, *, ipv6_alone: bool = False) -> socket.socket:
    """A listening socket. `ipv6_alone`: do not accept IPv4 as well, which the system does for `::`. Raises
    `OSError`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    found = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    listener = socket.socket(*found[0][:3])
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if ipv6_alone:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(found[0][4])
        # Two processes that start at the same moment may both bind the address; then `listen` fails for the second.
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener
