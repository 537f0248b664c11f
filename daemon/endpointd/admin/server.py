"""Serves the administration's API, in the daemon's event loop."""

import asyncio
import os
import ssl
import time
from collections import Counter
from pathlib import Path
from typing import Any

# Imported here, and not with FastAPI in a thread, because importing it compiles a syntax tree, which must not happen
# while other threads compile those of plugins' rules: see `endpointd.manifest.compiling`.
import anyio
import anyio.abc
import structlog
import uvicorn

from endpointd import __version__
from endpointd.admin import sockets
from endpointd.admin.documents import DaemonStatus
from endpointd.admin.followers import Followers
from endpointd.admin.network import NetworkServer
from endpointd.admin.services import Services
from endpointd.settings.settings import Settings

LEISURE = 10.0
"""Seconds after which FastAPI and the API are imported even if no client has connected yet. So later clients need not
wait, and the modules are not loaded after an upgrade has replaced their files by those of another version."""

AGAIN = 1.0
"""Seconds until the import is tried again, if the system could not open one of the files."""

GRACE = 5
"""Seconds that running requests have to finish when the daemon ends."""

log = structlog.get_logger()


class AdminServer:
    """The server of the administration. It is created before other parts of the daemon, because it holds the lock of
    the state directory; `serve` is called later. Importing FastAPI takes as long as importing all the rest, so that is
    done in a thread, when the first client connects or after `LEISURE`. The socket listens at once; clients wait."""

    def __init__(self, settings: Settings, tls: ssl.SSLContext | None = None) -> None:
        """Lock the state directory, listen at the socket in it and at `admin_listen`. Raises `OperatorError` if another
        daemon has the state directory, the group cannot get access, or the address is in use."""
        self._state = settings.state.absolute()
        self._lock = sockets.StateLock(self._state)
        self._network: NetworkServer | None = None
        try:
            if settings.admin_listen is not None:
                self._network = NetworkServer(settings.admin_listen, settings, GRACE, tls)
            self._listener = sockets.listen(self._state, settings.admin_group)
        except BaseException:
            if self._network is not None:
                self._network.close()
            self._lock.release()
            raise
        self._followers = Followers()
        self._wanted = asyncio.Event()
        self._ending = False
        self._serving: asyncio.Task[uvicorn.Server | None] | None = None

    def serve(self, services: Services) -> None:
        """Begin to serve, in a task. The network address is only served if `services` has `tokens`."""
        if self._network is not None and services.tokens is not None:
            self._network.tell()
        describe = _Describer(services, self._state)
        self._serving = asyncio.create_task(self._serve(services, describe))

    async def begun(self) -> None:
        """Wait until requests are answered, or until the server was stopped before. Raises any error that prevents
        that, because the daemon could not be controlled then."""
        if self._serving is not None:
            await asyncio.shield(self._serving)

    def hold_to(self, settings: Settings) -> None:
        """Apply changed settings: the limits of network connections."""
        if self._network is not None:
            self._network.hold_to(settings)

    async def stop(self) -> None:
        """Stop the server: end the followers of journals, let other running requests finish within `GRACE` seconds, and
        unlock the state directory."""
        self._followers.close()
        self._ending = True
        self._wanted.set()
        try:
            if self._serving is not None and (server := await self._serving) is not None:
                await asyncio.gather(server.shutdown(), *([self._network.stop()] if self._network else []))
        finally:
            if self._network is not None:
                self._network.close()
            self._listener.close()
            sockets.remove(self._state)
            self._lock.release()

    async def _serve(self, services: Services, describe: "_Describer") -> uvicorn.Server | None:
        await self._until_wanted()
        app = await self._built(services, describe)
        if app is None:
            return None
        config = uvicorn.Config(
            app,
            http="httptools",
            ws="none",
            lifespan="off",
            interface="asgi3",
            access_log=False,
            log_config=None,
            log_level="error",
            server_header=False,
            date_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=GRACE,
        )
        config.load()
        server = uvicorn.Server(config)
        server.lifespan = config.lifespan_class(config)
        # Not `Server.serve`, because its main loop wakes the process ten times a second.
        await server.startup(sockets=[self._listener])
        if self._network is not None and services.tokens is not None:
            network_app = await asyncio.to_thread(_with_console, app, services, self._followers)
            await self._network.serve(network_app, services.tokens, _open_paths(services))
        return server

    async def _built(self, services: Services, describe: "_Describer") -> "uvicorn._types.ASGIApplication | None":
        """The API's application; None if the server was stopped before it could be built."""
        is_told = False
        while not self._ending:
            try:
                return await asyncio.to_thread(_build, services, describe, self._state, self._followers)
            except OSError as error:
                # A module's file cannot be opened or read at the moment. That may pass, and is no reason to stop the
                # plugins.
                if not is_told:
                    log.warning("admin.late", because=str(error))
                is_told = True
                await asyncio.sleep(AGAIN)
        return None

    async def _until_wanted(self) -> None:
        loop = asyncio.get_running_loop()
        listeners = [self._listener, *([self._network.listener] if self._network else [])]
        leisure = loop.call_later(LEISURE, self._wanted.set)
        for listener in listeners:
            loop.add_reader(listener, self._wanted.set)
        try:
            await self._wanted.wait()
        finally:
            leisure.cancel()
            for listener in listeners:
                loop.remove_reader(listener)


def _build(
    services: Services, describe: "_Describer", state: Path, followers: Followers
) -> "uvicorn._types.ASGIApplication":
    from endpointd.admin.api import build_api
    from endpointd.admin.uploads import Uploads

    # Let anyio import its asyncio backend now; otherwise it would do so in the event loop, at the first request.
    anyio.run(anyio.sleep, 0)
    return build_api(services, describe, Uploads(state, services.limit_package), followers, __version__)  # type: ignore[return-value]


def _with_console(app: Any, services: Services, followers: Followers) -> Any:  # noqa: ANN401 - ASGI
    """The API together with the console, if there is one."""
    from endpointd.admin.beside import Beside

    console = services.console
    return app if console is None else Beside(console.build(followers), console.paths, app)


def _open_paths(services: Services) -> tuple[str, ...]:
    """The paths that need no token: those of the console, which has a login of its own, and the health checks."""
    console = services.console.paths if services.console is not None else ()
    return (*console, "/healthz", "/readyz") if services.observed is not None else console


class _Describer:
    def __init__(self, services: Services, state: Path) -> None:
        self._control = services.control
        self._base_url = services.base_url
        self._state = state
        self._plugins = services.plugins
        self._since = time.time()

    def __call__(self) -> DaemonStatus:
        states = Counter(str(status.state) for status in self._control.statuses())
        return DaemonStatus(
            __version__,
            os.getpid(),
            self._since,
            self._base_url(),
            str(self._state),
            str(self._plugins),
            dict(sorted(states.items())),
        )
