"""Serves the administration's API in the daemon's own event loop."""

import asyncio
import os
import ssl
import time
from collections import Counter
from pathlib import Path
from typing import Any

# Its import makes a syntax tree. In the thread that imports FastAPI it would come upon those of plugins' rules, which
# are made in other threads at the same time: see `endpointd.manifest.compiling`.
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
from endpointd.settings import Settings

LEISURE = 10.0
"""Seconds after which the parts are imported though nobody has connected yet: whoever does later need not wait, and it
is not left to a day on which the files of another version have come to the place of these."""

AGAIN = 1.0
"""Seconds until the parts are imported anew, when the system has refused to open one of their files."""

GRACE = 5
"""Seconds that a call which is under way has to be answered when the daemon ends."""

log = structlog.get_logger()


class AdminServer:
    """Made before all else, because whoever has it has the state directory; then `serve`. Its parts take as long to
    import as all the rest: that is done in a thread, for the first who connects, or at leisure. The socket is there at
    once, and who connects early waits."""

    def __init__(self, settings: Settings, tls: ssl.SSLContext | None = None) -> None:
        """Take the state directory, and listen there and wherever else it is asked for. Raises `OperatorError`: it is
        another daemon's, the group cannot have it, or the address is taken."""
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
        """Over the network only with `tokens`."""
        if self._network is not None and services.tokens is not None:
            self._network.tell()
        describe = _Describer(services, self._state)
        self._serving = asyncio.create_task(self._serve(services, describe))

    async def begun(self) -> None:
        """Return when it answers, or has ended before that. Raises what keeps it from that: nobody could control the
        daemon."""
        if self._serving is not None:
            await asyncio.shield(self._serving)

    def hold_to(self, settings: Settings) -> None:
        """Other limits for those who come over the network."""
        if self._network is not None:
            self._network.hold_to(settings)

    async def stop(self) -> None:
        """Who follows a log gets its end, what else is under way its answer; after `GRACE` seconds neither."""
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
        # Not `serve`, whose loop wakes the daemon ten times a second to look after dates and signals.
        await server.startup(sockets=[self._listener])
        if self._network is not None and services.tokens is not None:
            network_app = await asyncio.to_thread(_with_console, app, services, self._followers)
            await self._network.serve(network_app, services.tokens, _open_paths(services))
        return server

    async def _built(self, services: Services, describe: "_Describer") -> "uvicorn._types.ASGIApplication | None":
        """What answers; None when the end was quicker."""
        is_told = False
        while not self._ending:
            try:
                return await asyncio.to_thread(_build, services, describe, self._state, self._followers)
            except OSError as error:
                # No file can be opened at this moment, or read. That may pass, and is nothing to end all plugins for.
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

    # anyio imports its part for asyncio when it first waits: that would be in the event loop, with the first command.
    anyio.run(anyio.sleep, 0)
    return build_api(services, describe, Uploads(state, services.limit_package), followers, __version__)  # type: ignore[return-value]


def _with_console(app: Any, services: Services, followers: Followers) -> Any:  # noqa: ANN401 - ASGI
    """What is there for browsers besides."""
    from endpointd.admin.beside import Beside

    console = services.console
    return app if console is None else Beside(console.build(followers), console.paths, app)


def _open_paths(services: Services) -> tuple[str, ...]:
    """Where no token is asked for."""
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
