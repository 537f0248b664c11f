"""Serves the administration on a TCP address, to clients with a token; other requests are refused unread.

The connections have the same timeouts and limits as those of the plugins' clients.
"""

import socket
import ssl
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from ipaddress import ip_address
from typing import Any

import structlog
import uvicorn

from endpointd.access.service import TokenControl
from endpointd.errors import OperatorError
from endpointd.gateway.asgi import on_clients
from endpointd.gateway.clocks import Clocks
from endpointd.gateway.http import ClientProtocol
from endpointd.gateway.limits import HttpLimits
from endpointd.gateway.server import HttpServer, bind
from endpointd.settings.settings import Settings
from endpointd.sockets.addresses import split_listen
from endpointd.sockets.listeners import address_of, proxies_of

CONNECTIONS = 128
"""The most connections at once; there are few operators."""

log = structlog.get_logger()


class NetworkServer:
    """Listens as soon as it is created; clients wait until `serve` is called with the application."""

    def __init__(self, address: str, settings: Settings, grace: int, tls: ssl.SSLContext | None) -> None:
        """Listen at `address`, with HTTPS if `tls` is given. `grace`: seconds that running requests have when the
        daemon ends. Raises `OperatorError`."""
        self.listener = _listen(address)
        self._limits = _limits(settings, grace)
        # Needed for the limit of failures per address: behind a proxy, all clients would have the proxy's address.
        self._proxies = proxies_of(settings)
        self._grace = grace
        self._tls = tls
        self._clocks = Clocks()
        self._server: HttpServer | None = None

    def tell(self) -> None:
        """Log that the administration is available here."""
        url, host = address_of(self.listener, encrypted=self._tls is not None), self.listener.getsockname()[0]
        log.info("admin.listening", url=url)
        if self._tls is None and not ip_address(host.partition("%")[0]).is_loopback:
            log.warning(
                "admin.unencrypted",
                url=url,
                remedy="tokens go in clear here: name a tls_certificate, or let admin_listen be a loopback address",
            )

    async def serve(self, app: Any, tokens: TokenControl, open: Sequence[str] = ()) -> None:  # noqa: A002, ANN401
        """Serve the ASGI application `app`. Requests need a token, except at the paths `open`; see `Gatekeeper`."""
        from endpointd.admin.gatekeeper import Gatekeeper

        config = self._configured(Gatekeeper(app, tokens, open))
        config.load()
        server = self._server = HttpServer(config, self._limits, self._tls)
        server.lifespan = config.lifespan_class(config)
        await server.startup(sockets=[self.listener])

    def hold_to(self, settings: Settings) -> None:
        self._limits.become(_limits(settings, self._grace))

    async def stop(self) -> None:
        if self._server is not None:
            await self._server.shutdown()
        self._clocks.stop()

    def close(self) -> None:
        self.listener.close()

    def _configured(self, app: Any) -> uvicorn.Config:  # noqa: ANN401
        return uvicorn.Config(
            on_clients(app, lambda: self._limits.clock_client_idle),
            http=partial(ClientProtocol, self._limits, self._clocks, proxies=self._proxies),  # type: ignore[arg-type]
            ws="none",
            lifespan="off",
            interface="asgi3",
            access_log=False,
            log_config=None,
            log_level="error",
            server_header=False,
            date_header=False,
            proxy_headers=False,
        )


def _limits(settings: Settings, grace: int) -> HttpLimits:
    return replace(HttpLimits.of(settings), connections=CONNECTIONS, clock_drain=grace)


def _listen(address: str) -> socket.socket:
    try:
        return bind(*split_listen(address))
    except OSError as error:
        raise OperatorError(
            "admin_listen_failed",
            f"cannot listen on {address} for the administration: {error.strerror or error}",
            "end what uses the address, or name another one with --admin-listen",
        ) from error
