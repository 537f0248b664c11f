"""The client that tests have for a loaded plugin."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from werkzeug.datastructures import Headers
from werkzeug.test import Client, TestResponse

from endpointd.testing.application import PluginApplication
from endpointd.testing.host import PluginHost

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment


class PluginClient(Client):
    """werkzeug's test client for one plugin, which runs in its own worker. Paths are those of its interfaces:
    `/duck/x`.

    A request returns as soon as the head of the response has come; the body is received while it is read. So
    `next(response.response)` is the first piece, and `response.close()` is what a client does that disconnects. A body
    that breaks off raises `AnswerBroken`. If the plugin takes longer than the `timeout` of `load_plugin`, an
    AssertionError is raised.
    """

    def __init__(self, host: PluginHost) -> None:
        self._host = host
        self._mounted = PluginApplication(host)
        super().__init__(self._mounted)

    def __repr__(self) -> str:
        return f"<PluginClient of {self._host!r}>"

    @property
    def pid(self) -> int | None:
        """The worker's process id."""
        return self._host.pid

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:  # noqa: ANN401 - those of werkzeug's
        """As werkzeug's, but relative to where the plugin is mounted, as long as no other place is given."""
        path = kwargs.get("path", args[0] if args else "/")
        if isinstance(path, str) and "://" not in path:
            kwargs.setdefault("base_url", f"http://localhost{self._mounted.script}/")
        return super().open(*args, **kwargs)

    def run_wsgi_app(self, environ: "WSGIEnvironment", buffered: bool = False) -> tuple[Iterable[bytes], str, Headers]:
        """As werkzeug's, which waits for a first piece of the body; here the head is enough."""
        pieces, status, headers = super().run_wsgi_app(environ, buffered)
        if not buffered:
            # Skip the empty piece with which the application's bodies begin.
            next(iter(pieces))
        return pieces, status, headers

    def log(self) -> str:
        """Everything that the plugin has printed and logged so far, in the order in which it came."""
        return self._host.log()

    def wait_for_log(self, substring: str, timeout: float = 5.0) -> str:
        """Wait for a line or record that contains `substring`, and return the first one. Raises AssertionError if there
        is none within `timeout` seconds."""
        return self._host.lines.wait_for(substring, timeout)

    def stop(self) -> None:
        """End the worker, as happens at the end of the test: open requests are cancelled."""
        self._host.stop()
