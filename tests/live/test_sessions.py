"""The storage of plugins in a real daemon: there again whoever was killed, and in nobody's way."""

import http.client
import itertools
import os
import signal
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from endpointd.testing import DaemonStarter, RunningDaemon
from support.probe import probe

MIB = 1024 * 1024
STORAGE = {"storage": {"enabled": True, "size": 64 * MIB}}

KEEP = """\
storage = self.session.storage
if r.method == "POST":
    storage.set(r.args["key"], r.get_data())
    return Response(b"stored")
return Response(storage.get(r.args["key"]))
"""
STEPS = """\
number = 0
while True:
    number += 1
    self.session.storage.set(r.args["key"], str(number).encode() * 1000)
    tell(r.args["told"])
"""


def ask(daemon: RunningDaemon, path: str, body: bytes | None = None) -> bytes:
    with urllib.request.urlopen(f"{daemon.url}/e/probe/{path}", body, timeout=60) as answer:
        found: bytes = answer.read()
    return found


def plugin(folder: Path, body: str) -> Path:
    probe(folder, body, permission=STORAGE)
    return folder


class Storing:
    """Four clients that store without end, each one greater values under its key; they end with the daemon."""

    def __init__(self, daemon: RunningDaemon, name: str, enough: int) -> None:
        self.confirmed: dict[str, int] = {}
        self.enough = threading.Event()
        self._daemon = daemon
        self._enough = enough
        self._threads = [threading.Thread(target=self._store, args=(f"{name}-{number}",)) for number in range(4)]
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        for thread in self._threads:
            thread.join()

    def _store(self, key: str) -> None:
        for number in itertools.count(1):
            try:
                ask(self._daemon, f"?key={key}", f"{number:08}".encode() * 20_000)
            except (OSError, http.client.HTTPException):
                return
            self.confirmed[key] = number
            if sum(self.confirmed.values()) >= self._enough:
                self.enough.set()


def test_what_is_stored_is_there_after_a_restart(start_daemon: DaemonStarter, tmp_path: Path) -> None:
    plugins, state = plugin(tmp_path / "plugins", KEEP), tmp_path / "state"
    daemon = start_daemon(plugins, state=state)
    value = os.urandom(3 * MIB)
    assert ask(daemon, "?key=a", value) == b"stored"
    assert daemon.stop() == 0
    daemon = start_daemon(plugins, state=state)
    assert ask(daemon, "?key=a") == value
    assert daemon.stop() == 0
    assert [event for event in daemon.events() if event["level"] in ("error", "critical")] == []


def test_what_a_plugin_may_store_can_be_changed_while_it_runs(start_daemon: DaemonStarter, tmp_path: Path) -> None:
    config = tmp_path / "endpointd.toml"
    config.touch()
    daemon = start_daemon(plugin(tmp_path / "plugins", KEEP), config=config)
    assert ask(daemon, "?key=a", bytes(2000)) == b"stored"
    config.write_text("limit_storage = 1000\n")
    daemon.process.send_signal(signal.SIGHUP)
    daemon.wait_for_log('"configuration.reloaded"')
    with pytest.raises(urllib.error.HTTPError, match="500"):
        ask(daemon, "?key=a", bytes(2000))


def test_what_was_confirmed_survives_a_kill(start_daemon: DaemonStarter, tmp_path: Path) -> None:
    """Whoever stores when the daemon is killed finds what was confirmed, or what was under way; whole, either way."""
    plugins, state = plugin(tmp_path / "plugins", KEEP), tmp_path / "state"
    for round_ in range(2):
        daemon = start_daemon(plugins, state=state)
        storing = Storing(daemon, f"{round_}", enough=20 * (round_ + 1))
        assert storing.enough.wait(60)
        daemon.kill()
        storing.join()
        daemon = start_daemon(plugins, state=state)
        for key, number in storing.confirmed.items():
            value = ask(daemon, f"?key={key}")
            assert int(value[:8]) in (number, number + 1)
            assert value == value[:8] * 20_000
        daemon.kill()


@pytest.mark.parametrize("size", [MIB, 50 * MIB])
def test_others_are_answered_while_a_large_value_is_stored_and_read(
    start_daemon: DaemonStarter, tmp_path: Path, size: int
) -> None:
    plugins = plugin(
        tmp_path / "plugins", KEEP.replace("storage = ", "if 'quick' in r.args:\n    return Response()\nstorage = ")
    )
    daemon = start_daemon(plugins, state=tmp_path / "state")
    value, done = os.urandom(size), threading.Event()
    found: list[bytes] = []

    def store() -> None:
        ask(daemon, "?key=a", value)
        found.append(ask(daemon, "?key=a"))
        done.set()

    ask(daemon, "?quick")
    thread = threading.Thread(target=store)
    start = time.perf_counter()
    thread.start()
    longest = 0.0
    while not done.is_set():
        began = time.perf_counter()
        ask(daemon, "?quick")
        longest = max(longest, time.perf_counter() - began)
    thread.join()
    assert found == [value]
    # On a machine with much else to do all of it takes longer, and no single answer nearly as long.
    assert longest < max(0.5, (time.perf_counter() - start) / 4)


def test_a_daemon_stops_while_a_plugin_calls_without_end(start_daemon: DaemonStarter, tmp_path: Path) -> None:
    told = tmp_path / "told"
    os.mkfifo(told)
    plugins = plugin(tmp_path / "plugins", STEPS)
    daemon = start_daemon(plugins, state=tmp_path / "state", clock_drain=1)
    broken = threading.Event()

    def call() -> None:
        with pytest.raises(OSError):  # noqa: PT011 - however its connection ends
            ask(daemon, f"?key=a&told={told}")
        broken.set()

    thread = threading.Thread(target=call)
    thread.start()
    with told.open("rb", buffering=0) as pipe:
        assert pipe.read(1) == b"."
        assert daemon.stop(20) == 0
    thread.join()
    assert broken.is_set()
    assert [event for event in daemon.events() if event["level"] == "critical"] == []
