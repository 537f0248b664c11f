"""The real daemon, and in its event loop the console on a TCP port of its own. Arguments: the port file, the token,
and the settings as `name=value`."""

import asyncio
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from endpointd import __version__, app
from endpointd.admin.control import Control
from endpointd.admin.followers import Followers
from endpointd.admin.server import AdminServer
from endpointd.console.app import build_console
from endpointd.console.parts import Parts
from endpointd.endpoints.service import EndpointControl
from endpointd.errors import UsageError
from endpointd.settings import Settings


@dataclass
class Token:
    id: str = "1"
    name: str = "operator"
    expires_at: float | None = None


class OneToken:
    """Revoked when the file is gone."""

    def __init__(self, file: Path, secret: str) -> None:
        self._file = file
        self._secret = secret

    def list(self) -> list[Token]:
        return [Token()] if self._file.exists() else []

    def check(self, secret: str, client: str) -> Token:  # noqa: ARG002
        if secret != self._secret or not self._file.exists():
            raise UsageError("token_refused", "there is no such token", "use one that 'endpointd token create' made")
        return Token()


def main() -> None:
    port_file, token, *given = sys.argv[1:]
    settings = Settings.model_validate(dict(one.split("=", 1) for one in given))
    daemon = app.Daemon(settings, None, lambda: settings)

    class Served(AdminServer):
        def serve(
            self, control: Control, base_url: Callable[[], str], endpoints: EndpointControl | None = None
        ) -> None:
            super().serve(control, base_url, endpoints)
            self._followers = Followers()
            tokens = OneToken(Path(port_file), token)
            parts = Parts(control, endpoints, tokens, daemon._samples, self._followers, base_url, base_url, __version__)
            config = uvicorn.Config(build_console(parts), port=0, log_config=None, lifespan="off", ws="none")
            config.load()
            server = uvicorn.Server(config)
            server.lifespan = config.lifespan_class(config)
            self.task = asyncio.create_task(self._begin(server))

        async def _begin(self, server: uvicorn.Server) -> None:
            await server.startup()
            port = server.servers[0].sockets[0].getsockname()[1]
            Path(port_file).with_suffix(".new").write_text(str(port))
            Path(port_file).with_suffix(".new").rename(port_file)

    app.AdminServer = Served
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(daemon.run())


main()
