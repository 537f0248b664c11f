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
    """werkzeug's test client for one plugin in a worker of its own. Paths are those of its interfaces: `/duck/x`.

    A response is there when its head is, and its body arrives as it is read: `next(response.response)` is what came
    first, and `response.close()` is what a client does who leaves. A body that breaks off raises `AnswerBroken`. A test
    that waits for the plugin longer than the `timeout` of `load_plugin` fails with AssertionError.
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
            # The application's empty piece, which stands for none.
            next(iter(pieces))
        return pieces, status, headers

    def log(self) -> str:
        """All that the plugin has written and logged so far, in the order of its arrival."""
        return self._host.log()

    def wait_for_log(self, substring: str, timeout: float = 5.0) -> str:
        """The first line or record that contains `substring`. AssertionError: none did within `timeout` seconds."""
        return self._host.lines.wait_for(substring, timeout)

    def stop(self) -> None:
        """End the worker, as the end of the test does: what is still open is cancelled."""
        self._host.stop()
