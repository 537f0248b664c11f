"""uvicorn, embedded: the listening socket and the connections are its own, signals and shutdown are the daemon's."""

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
"""How many may wait to be taken in, as far as the system lets them: as many as the service's unit says, whose queue it
becomes."""


class HttpServer(uvicorn.Server):
    """Serves until `stop`, then answers what is under way. Over TCP it speaks TLS when there is a `tls`."""

    def __init__(self, config: uvicorn.Config, limits: HttpLimits, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(config)
        self._limits = limits
        self._tls = tls

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn does, which knows no difference between its sockets."""
        self.servers = [await self._serve_at(listener) for listener in sockets or ()]
        self.started = True

    async def _serve_at(self, listener: socket.socket) -> asyncio.Server:
        loop = asyncio.get_running_loop()
        tls = None if listener.family == socket.AF_UNIX else self._tls
        # To agree on keys. The loop keeps to it as long as it listens, whatever the limits become.
        clock = (self._limits.clock_header or None) if tls else None
        # Not `create_unix_server`: from Python 3.13 on that removes the socket's file when it closes, also a manager's.
        return await loop.create_server(
            self._protocol, sock=listener, backlog=BACKLOG, ssl=tls, ssl_handshake_timeout=clock
        )

    def _protocol(self) -> asyncio.Protocol:
        make = self.config.http_protocol_class
        return make(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)  # type: ignore[call-arg]

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """The daemon's signals are not uvicorn's business."""
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.config.timeout_graceful_shutdown = self._limits.clock_drain  # type: ignore[assignment]
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
        # Its start and its end the daemon tells itself, and what clients send amiss is no event of ours.
        log_level="error",
        server_header=False,
        date_header=False,
        # The protocol sees to it, on the direct path too.
        proxy_headers=False,
        backlog=BACKLOG,
    )
    return HttpServer(config, limits, tls)


def bind(host: str, port: int, *, ipv6_alone: bool = False) -> socket.socket:
    """A listening socket. `ipv6_alone`: not for IPv4 too, which is what the system does with `::`. Raises `OSError`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    found = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    listener = socket.socket(*found[0][:3])
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if ipv6_alone:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(found[0][4])
        # Of two that begin at the same moment, both may bind the address; only here does the second one learn of it.
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener
