"""The servers that are measured, and their command lines."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Place:
    """What one run of a server uses: the directory of programs, a scratch directory, the plugin in it, the port."""

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
    """One server: its name in the tables, a description of its settings, its command line.

    ``prefix`` comes before the plugin's paths; ``{plugin}`` in it stands for the name of the plugin's folder.
    """

    name: str
    settings: str
    command: Callable[[Place], list[str | Path]]
    prefix: str = ""


def endpointd(*options: str) -> Callable[[Place], list[str | Path]]:
    """Return the command line of the daemon with the required options and these."""
    return lambda place: [
        place.programs / "endpointd", "serve",
        "--plugins", place.plugin.parent,
        "--state", place.scratch / "state",
        "--listen", place.address,
        *options,
    ]  # fmt: skip


def gunicorn(*options: str) -> Callable[[Place], list[str | Path]]:
    """Return the command line of gunicorn with one worker."""
    # The control socket would be a file in the home directory of the user.
    fixed = ("--no-control-socket", "--workers", "1", *options, "wsgi_plugin:application")
    return lambda place: [place.programs / "gunicorn", "--bind", place.address, *fixed]


def granian(*options: str) -> Callable[[Place], list[str | Path]]:
    """Return the command line of granian with one worker and its WSGI interface."""
    fixed = ("--interface", "wsgi", "--workers", "1", *options, "wsgi_plugin:application")
    return lambda place: [place.programs / "granian", "--port", str(place.port), *fixed]


# By default, at most 64 requests per plugin may wait and further ones are refused, and bodies are limited to 100 MiB.
# The peers have no such limits.
BOUNDS = ("--queue-size", "4096", "--limit-body", "2GiB")
ENDPOINTD = Server(
    "endpointd",
    "one plugin, one worker process; defaults, but for the bounds of bodies and of the queue",
    endpointd(*BOUNDS),
    "/e/{plugin}",
)
# Has no keep-alive, so each request includes the cost of a connection, as it does in practice.
GUNICORN_SYNC = Server("gunicorn sync", "1 worker, no keep-alive", gunicorn("--worker-class", "sync"))
GUNICORN_GTHREAD = Server(
    "gunicorn gthread",
    "1 worker, 32 threads, keep-alive 60 s",
    gunicorn("--worker-class", "gthread", "--threads", "32", "--keep-alive", "60"),
)
# Its manual advises against changing the number of threads, so this is its default...
GRANIAN = Server("granian", "1 worker, default threads (up to 512)", granian())
# ... but with one thread it serves answers of under a millisecond faster. That is its best configuration for such a
# plugin, although it answers nothing else while one request waits.
GRANIAN_ONE = Server("granian 1 thread", "1 worker, 1 blocking thread", granian("--blocking-threads", "1"))

SERVERS = (ENDPOINTD, GUNICORN_SYNC, GUNICORN_GTHREAD, GRANIAN, GRANIAN_ONE)
