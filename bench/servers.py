"""The servers that are measured: how each is started."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Place:
    """Where one run of a server happens: programs, a directory of its own, the plugin in it, the port."""

    programs: Path
    scratch: Path
    plugin: Path
    port: int

    @property
    def address(self) -> str:
        """Return ``host:port``."""
        return f"127.0.0.1:{self.port}"


@dataclass(frozen=True, slots=True)
class Server:
    """One server: its name in the tables, what is told of its settings, its command line.

    ``prefix`` is what its paths have before the plugin's own; ``{plugin}`` in it is the plugin's folder name.
    """

    name: str
    settings: str
    command: Callable[[Place], list[str | Path]]
    prefix: str = ""


def endpointd(*options: str) -> Callable[[Place], list[str | Path]]:
    """Return the command line of the daemon with these options besides what it has to be told."""
    return lambda place: [
        place.programs / "endpointd", "serve",
        "--plugins", place.plugin.parent,
        "--state", place.scratch / "state",
        "--listen", place.address,
        *options,
    ]  # fmt: skip


def gunicorn(*options: str) -> Callable[[Place], list[str | Path]]:
    """Return the command line of gunicorn with one worker."""
    # The control socket would be a file in the home directory of whoever measures.
    fixed = ("--no-control-socket", "--workers", "1", *options, "wsgi_plugin:application")
    return lambda place: [place.programs / "gunicorn", "--bind", place.address, *fixed]


def granian(*options: str) -> Callable[[Place], list[str | Path]]:
    """Return the command line of granian with one worker and its WSGI interface."""
    fixed = ("--interface", "wsgi", "--workers", "1", *options, "wsgi_plugin:application")
    return lambda place: [place.programs / "granian", "--port", str(place.port), *fixed]


# By itself it lets 64 requests of a plugin wait and refuses more, which the peers do not, and takes 100 MiB of a body.
BOUNDS = ("--queue-size", "4096", "--limit-body", "2GiB")
ENDPOINTD = Server(
    "endpointd",
    "one plugin, one worker process; defaults, but for the bounds of bodies and of the queue",
    endpointd(*BOUNDS),
    "/e/{plugin}",
)
# Knows no keep-alive: each of its requests pays for a connection, which is how people meet it.
GUNICORN_SYNC = Server("gunicorn sync", "1 worker, no keep-alive", gunicorn("--worker-class", "sync"))
GUNICORN_GTHREAD = Server(
    "gunicorn gthread",
    "1 worker, 32 threads, keep-alive 60 s",
    gunicorn("--worker-class", "gthread", "--threads", "32", "--keep-alive", "60"),
)
# Its manual says not to tune the threads, so these are its own numbers...
GRANIAN = Server("granian", "1 worker, default threads (up to 512)", granian())
# ... except that few threads serve answers of under a millisecond faster. That is its best for such a plugin, and
# a server that answers nothing else while one request waits.
GRANIAN_ONE = Server("granian 1 thread", "1 worker, 1 blocking thread", granian("--blocking-threads", "1"))

SERVERS = (ENDPOINTD, GUNICORN_SYNC, GUNICORN_GTHREAD, GRANIAN, GRANIAN_ONE)
