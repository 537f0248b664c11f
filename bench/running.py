"""Starts one server, runs it while it is measured, and stops it."""

import http.client
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from errors import BenchError
from servers import Place, Server
from workloads import BENCH, Workload

# Long, because an environment with the SDK may have to be downloaded first.
START_SECONDS = 180.0
STOP_SECONDS = 15.0
LOG_TAIL_BYTES = 2000

# Environment variables that would slow down the start, or change a server's settings in addition to the command line.
DROPPED = ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "WEB_CONCURRENCY")
DROPPED_PREFIXES = ("ENDPOINTD_", "GRANIAN_", "GUNICORN_", "FORWARDED_ALLOW_")


@dataclass(frozen=True, slots=True)
class Site:
    """A running server: its port, the prefix of the plugin's paths, its pid, and endpointd's state directory."""

    port: int
    prefix: str
    pid: int = 0
    state: Path = Path()

    def url(self, path: str) -> str:
        """Return the URL of the plugin's ``path``."""
        return f"http://127.0.0.1:{self.port}{self.prefix}{path}"


def leave(_: Path) -> None:
    """Change nothing; the default of ``prepare`` below."""


@contextmanager
def serving(
    server: Server, programs: Path, workload: Workload, prepare: Callable[[Path], None] = leave
) -> Iterator[Site]:
    """Start ``server`` with the workload's plugin, wait until it gives the right answer, and stop it on exit.

    Before the start, ``prepare`` is called with the directory that contains the plugin's folder, and may change it.

    Raises BenchError, with the end of the server's log, if it does not give the right answer.
    """
    with tempfile.TemporaryDirectory(prefix="endpointd-bench-") as directory:
        scratch = Path(directory)
        plugin = scratch / "plugins" / workload.plugin.name
        shutil.copytree(workload.plugin, plugin, ignore=shutil.ignore_patterns("tests", "__pycache__"))
        prepare(plugin.parent)
        place = Place(programs, scratch, plugin, free_port())
        process = start(server.command(place), scratch, child_environment(plugin))
        site = Site(place.port, server.prefix.format(plugin=plugin.name), process.pid, scratch / "state")
        try:
            wait_until_right(server, process, site, workload, scratch / "log")
            yield site
        finally:
            stop(process)


def start(command: list[str | Path], scratch: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    """Start a server in a new session; its output goes to the file ``log`` in the directory ``scratch``."""
    with (scratch / "log").open("w+b") as log:
        return subprocess.Popen(
            command,
            cwd=scratch,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def child_environment(plugin: Path | None = None) -> dict[str, str]:
    """Return the environment variables of a measured server. ``plugin`` is the plugin that a peer has to serve."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in DROPPED and not name.startswith(DROPPED_PREFIXES)
    }
    return kept if plugin is None else {**kept, "PYTHONPATH": str(BENCH), "BENCH_PLUGIN": str(plugin)}


def free_port() -> int:
    """Return a port on which nothing listens at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until_right(
    server: Server, process: subprocess.Popen[bytes], site: Site, workload: Workload, log: Path
) -> None:
    """Send the workload's request until the answer is right; raise BenchError if it never is."""
    deadline = time.monotonic() + START_SECONDS
    answer = "nothing"
    while time.monotonic() < deadline and process.poll() is None:
        try:
            status, body = ask(site, workload)
        except (OSError, http.client.HTTPException) as error:
            answer = repr(error)
        else:
            if (status, body) == (200, workload.answer):
                return
            answer = f"{status} {body[:200]!r}"
        time.sleep(0.02)
    ended = f"ran for {START_SECONDS:g} s" if process.returncode is None else f"exited with status {process.returncode}"
    raise BenchError(
        f"{server.name} {ended} and never gave the right answer to "
        f"{site.url(workload.path)}; the last one was {answer}; its log ends with:\n{tail_of(log)}"
    )


def tail_of(log: Path) -> str:
    """Return the end of a log."""
    return log.read_bytes()[-LOG_TAIL_BYTES:].decode("utf-8", "replace")


def ask(site: Site, workload: Workload) -> tuple[int, bytes]:
    """Send the workload's request once; return the status and the whole body."""
    return get(site, workload.path, workload.method, workload.body or None, dict(workload.headers))


def get(
    site: Site, path: str, method: str = "GET", body: bytes | None = None, headers: Mapping[str, str] | None = None
) -> tuple[int, bytes]:
    """Send a request for the plugin's ``path``; return the status and the whole body."""
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=START_SECONDS)
    try:
        connection.request(method, site.prefix + path, body, headers or {})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def stop(process: subprocess.Popen[bytes]) -> None:
    """Terminate the server; if it does not end in time, kill its whole process group."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
