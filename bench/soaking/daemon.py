"""Runs the real daemon as a process, reads its log, and looks at the resources that it holds."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from errors import BenchError

START_SECONDS = 60.0
STOP_SECONDS = 60.0
LOOK = 0.02
WORKER = b"bootstrap.py"


@dataclass(frozen=True, slots=True)
class Held:
    """The resources of the host process: resident memory in bytes, and the numbers of open files, threads, children."""

    memory: int
    files: int
    threads: int
    children: int

    def as_dict(self) -> dict[str, int]:
        return asdict(self)


class Daemon:
    """A daemon that serves the directory `plugins` in the directory `scratch`. The constructor starts it."""

    def __init__(self, scratch: Path, *flags: str) -> None:
        """Raises BenchError if the daemon does not become ready."""
        self.state = scratch / "state"
        self._log = scratch / "log"
        command = [sys.executable, "-P", "-m", "endpointd", "serve", "--listen=127.0.0.1:0", "--log-format=json"]
        places = [f"--plugins={scratch / 'plugins'}", f"--state={self.state}"]
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [*command, *places, *flags], stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )
        self.url = self._await_ready()

    @property
    def pid(self) -> int:
        return self.process.pid

    def _await_ready(self) -> str:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            for event in self.events():
                if event.get("event") == "ready":
                    return str(event["url"])
            time.sleep(LOOK)
        self.process.kill()
        raise BenchError(f"the daemon did not get ready; its log:\n{self._log.read_text('utf-8', 'replace')[-2000:]}")

    def events(self, begin: int = 0) -> list[dict[str, Any]]:
        """The events in the log from the byte offset `begin` on. A line that is not an event becomes an event with the
        name "not an event"."""
        with self._log.open("rb") as log:
            log.seek(begin)
            whole = log.read().rpartition(b"\n")[0]
        return [_event(line) for line in whole.splitlines()]

    @property
    def log_size(self) -> int:
        return self._log.stat().st_size

    def held(self) -> Held:
        status = dict(
            line.split(":", 1)
            for line in Path(f"/proc/{self.pid}/status").read_text("ascii").splitlines()
            if ":" in line
        )
        return Held(
            memory=int(status["VmRSS"].split()[0]) * 1024,
            files=len(os.listdir(f"/proc/{self.pid}/fd")),
            threads=int(status["Threads"]),
            children=len(self.children()),
        )

    def children(self) -> list[int]:
        found: list[int] = []
        for task in Path(f"/proc/{self.pid}/task").iterdir():
            found += [int(child) for child in (task / "children").read_text("ascii").split()]
        return found

    def stop(self) -> int | None:
        """Stop the daemon; returns its exit status, or None if it had to be killed."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return None


def is_worker(pid: int) -> bool:
    """Whether a process exists and is a worker of any daemon."""
    try:
        return WORKER in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def _event(line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except ValueError:
        value = None
    return value if isinstance(value, dict) else {"event": "not an event", "level": "critical", "line": repr(line)}
