"""Runs one server for as long as it is measured, and no longer."""

import http.client
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from errors import BenchError
from servers import Place, Server
from workloads import BENCH, Workload

START_SECONDS = 30.0
STOP_SECONDS = 15.0
LOG_TAIL_BYTES = 2000

# Variables that would make starting slow, or change a server's settings behind the command line's back.
DROPPED = ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "WEB_CONCURRENCY")
DROPPED_PREFIXES = ("ENDPOINTD_", "GRANIAN_", "GUNICORN_", "FORWARDED_ALLOW_")


@dataclass(frozen=True, slots=True)
class Site:
    """Where a running server answers for the plugin."""

    port: int
    prefix: str

    def url(self, path: str) -> str:
        """Return the URL of the plugin's ``path``."""
        return f"http://127.0.0.1:{self.port}{self.prefix}{path}"


@contextmanager
def serving(server: Server, programs: Path, workload: Workload) -> Iterator[Site]:
    """Start ``server`` with the workload's plugin, wait until it answers rightly, stop it on leaving.

    Raises BenchError, with the end of the server's log, if it does not come to answer.
    """
    with tempfile.TemporaryDirectory(prefix="endpointd-bench-") as directory:
        scratch = Path(directory)
        plugin = scratch / "plugins" / workload.plugin.name
        shutil.copytree(workload.plugin, plugin, ignore=shutil.ignore_patterns("tests", "__pycache__"))
        place = Place(programs, scratch, plugin, free_port())
        site = Site(place.port, server.prefix.format(plugin=plugin.name))
        with (scratch / "log").open("w+b") as log:
            process = subprocess.Popen(
                server.command(place),
                cwd=scratch,
                env=child_environment(plugin),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                wait_until_right(server, process, site, workload, scratch / "log")
                yield site
            finally:
                stop(process)


def child_environment(plugin: Path) -> dict[str, str]:
    """Return the environment of every measured server."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in DROPPED and not name.startswith(DROPPED_PREFIXES)
    }
    return {**kept, "PYTHONPATH": str(BENCH), "BENCH_PLUGIN": str(plugin)}


def free_port() -> int:
    """Return a port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until_right(
    server: Server, process: subprocess.Popen[bytes], site: Site, workload: Workload, log: Path
) -> None:
    """Ask until the workload's request is answered as it must be; raise BenchError when it never is."""
    deadline = time.monotonic() + START_SECONDS
    answer = "nothing"
    while time.monotonic() < deadline and process.poll() is None:
        try:
            status, body = get(site, workload.path)
        except (OSError, http.client.HTTPException) as error:
            answer = repr(error)
        else:
            if (status, body) == (200, workload.answer):
                return
            answer = f"{status} {body[:200]!r}"
        time.sleep(0.02)
    ended = f"ran for {START_SECONDS:g} s" if process.returncode is None else f"exited with status {process.returncode}"
    tail = log.read_bytes()[-LOG_TAIL_BYTES:].decode("utf-8", "replace")
    raise BenchError(
        f"{server.name} {ended} and never gave the right answer to "
        f"{site.url(workload.path)}; the last one was {answer}; its log ends with:\n{tail}"
    )


def get(site: Site, path: str) -> tuple[int, bytes]:
    """GET the plugin's ``path``; return the status and the whole body."""
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=START_SECONDS)
    try:
        connection.request("GET", site.prefix + path)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def stop(process: subprocess.Popen[bytes]) -> None:
    """End the server and, should it refuse, its whole process group."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
