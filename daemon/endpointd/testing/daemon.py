"""Starts and stops real daemons as separate processes, and reads their logs."""

import json
import os
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from endpointd.testing.lines import Lines

_START_SECONDS = 30.0
# A process that still has the log open afterwards is one that the daemon should have ended.
_LOG_END_SECONDS = 5.0
_MAX_NOTICE = 4096


class LogReader:
    """Collects the lines of a pipe in a thread, until all writers have closed it; then closes it too."""

    def __init__(self, pipe: IO[str]) -> None:
        self.lines = Lines()
        self._pipe = pipe
        self._thread = threading.Thread(target=self._collect, name="daemon-log", daemon=True)
        self._thread.start()

    def join(self, timeout: float) -> bool:
        """Wait until all writers have closed the pipe; returns False if one is left after `timeout` seconds."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _collect(self) -> None:
        with self._pipe:
            for line in self._pipe:
                self.lines.add(line.rstrip("\n"))
        self.lines.end()


class RunningDaemon:
    """A daemon process. `url`, without a trailing slash, is known once the daemon is ready."""

    def __init__(self, process: subprocess.Popen[str], log_pipe: IO[str]) -> None:
        self.process = process
        self.url = ""
        self.killed = False
        self._reader = LogReader(log_pipe)

    def __repr__(self) -> str:
        return f"<RunningDaemon {self.url} pid {self.pid} status {self.process.poll()}>"

    @property
    def pid(self) -> int:
        """The daemon's process id."""
        return self.process.pid

    @property
    def port(self) -> int:
        """The TCP port that it listens on."""
        return int(urlsplit(self.url).port or 0)

    def log(self) -> str:
        """Everything that it has written to stdout and stderr so far."""
        return "\n".join(self._reader.lines.all())

    def events(self) -> list[dict[str, Any]]:
        """The JSON lines of the log so far, decoded; other lines are left out."""
        return [event for line in self._reader.lines.all() if (event := _decode(line)) is not None]

    def wait_for_log(self, substring: str, timeout: float = 5.0) -> str:
        """Wait for a line of the log that contains `substring`, and return the first one. Raises AssertionError if
        there is none within `timeout` seconds."""
        return self._reader.lines.wait_for(substring, timeout)

    def stop(self, timeout: float = 10.0) -> int:
        """Send SIGTERM, and SIGKILL after `timeout` seconds. Returns the exit status, which is negative for a
        signal."""
        self.process.terminate()
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
        return self._finish()

    def kill(self) -> None:
        """Send SIGKILL, as if the daemon had crashed; the fixture then expects no clean exit."""
        self.killed = True
        self.process.kill()
        self._finish()

    def _finish(self) -> int:
        status = self.process.wait()
        if not self._reader.join(_LOG_END_SECONDS):
            raise AssertionError(f"a process of the daemon outlived it and holds its log:\n{self.log()}")
        return status


class DaemonStarter:
    """The value of the fixture `start_daemon`: call it to start a daemon on a directory of plugin folders."""

    def __init__(self, make_directory: Callable[[str], Path]) -> None:
        self._make_directory = make_directory
        self._daemons: list[RunningDaemon] = []

    def __call__(self, plugins: Path, *, env: Mapping[str, str] | None = None, **settings: object) -> RunningDaemon:
        """Start a daemon and wait until it is ready.

        plugins: a directory of plugin folders. env: environment variables, in addition to those of the test's process
        except ENDPOINTD_…. settings: as in the configuration file, passed on as flags. Raises AssertionError, with the
        daemon's log, if it exits or is not ready in time.
        """
        given = {"plugins": plugins, "listen": "127.0.0.1:0", "log_format": "json"} | settings
        if "state" not in given:
            given["state"] = self._make_directory("state")
        with _notify_socket() as manager:
            flags = [flag for name, value in given.items() for flag in _flags(name, value)]
            daemon = _launch(flags, _environment(manager, env or {}))
            # Before anything can fail, so that the fixture stops it in any case.
            self._daemons.append(daemon)
            daemon.url = _await_ready(manager, daemon)
        return daemon

    def one(self, folder: Path, *, env: Mapping[str, str] | None = None, **settings: object) -> RunningDaemon:
        """Start a daemon that serves the plugin in `folder` and no other."""
        plugins = self._make_directory("plugins")
        (plugins / folder.resolve().name).symlink_to(folder.resolve(), target_is_directory=True)
        return self(plugins, env=env, **settings)

    def stop_all(self) -> None:
        """Stop all daemons. Raises AssertionError if one that the test has not killed does not exit cleanly."""
        failures = [failure for daemon in self._daemons if (failure := _failure_at_end(daemon)) is not None]
        if failures:
            raise AssertionError("\n".join(failures))


def _failure_at_end(daemon: RunningDaemon) -> str | None:
    try:
        status = daemon.stop()
    except AssertionError as failure:
        return str(failure)
    if status == 0 or daemon.killed:
        return None
    return f"{daemon!r} exited with {status}:\n{daemon.log()}"


def _flags(name: str, value: object) -> list[str]:
    flag = name.replace("_", "-")
    if value is None:
        return []
    if isinstance(value, bool):
        return [f"--{flag}" if value else f"--no-{flag}"]
    text = ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return [f"--{flag}={text}"]


def _notify_socket() -> socket.socket:
    """A socket for systemd's notify protocol, at an abstract address chosen by the kernel: there is no file to remove,
    and no path that could be too long."""
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind("")
    return manager


def _environment(manager: socket.socket, own: Mapping[str, str]) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ENDPOINTD_")}
    return {**inherited, **own, "NOTIFY_SOCKET": "@" + manager.getsockname()[1:].decode()}


def _launch(flags: list[str], environment: Mapping[str, str]) -> RunningDaemon:
    process = subprocess.Popen(
        # -P: what lies in the working directory must not be imported in place of the daemon's modules.
        [sys.executable, "-P", "-m", "endpointd", "serve", *flags],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="backslashreplace",
    )
    assert process.stdout is not None
    return RunningDaemon(process, process.stdout)


def _await_ready(manager: socket.socket, daemon: RunningDaemon) -> str:
    """The URL that the daemon announces with READY=1. Raises AssertionError if it exits or takes too long."""
    deadline = time.monotonic() + _START_SECONDS
    exited = os.pidfd_open(daemon.pid)
    sources: list[socket.socket | int] = [manager, exited]
    try:
        while (left := deadline - time.monotonic()) > 0:
            readable, _, _ = select.select(sources, [], [], left)
            if manager in readable:
                lines = manager.recv(_MAX_NOTICE).decode().splitlines()
                notice = dict(line.split("=", 1) for line in lines)
                if notice.get("READY") == "1":
                    return notice["X_ENDPOINTD_URL"]
            elif readable:
                break
    finally:
        os.close(exited)
    status = daemon.process.poll()
    daemon.kill()
    how = f"was not ready within {_START_SECONDS:g} s" if status is None else f"exited with status {status}"
    raise AssertionError(f"the daemon {how}:\n{daemon.log()}")


def _decode(line: str) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
