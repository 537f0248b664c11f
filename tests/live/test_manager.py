"""A service manager that starts the daemon: hands it sockets, watches it, and is told what becomes of it."""

import os
import select
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from live.conftest import Shop
from support.raw_http import Client, ask, plain

# Who hands over has to name the pid, which is the one that the shell has before it becomes the daemon.
AS_THE_PROCESS = 'export LISTEN_PID=$$ WATCHDOG_PID=${WATCHDOG_PID:-$$}; exec "$@"'
WAIT_SECONDS = 30.0


class Manager:
    """Starts a daemon as systemd does, and reads what it says."""

    def __init__(self, shop: Shop, folder: Path) -> None:
        self._channel = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._channel.bind("")
        self._channel.settimeout(WAIT_SECONDS)
        self._shop = shop
        self._folder = folder
        self.daemon: subprocess.Popen[bytes] | None = None

    def start(self, *listeners: socket.socket, **variables: str) -> None:
        names = {"LISTEN_FDS": str(len(listeners)), "LISTEN_FDNAMES": ":".join("http" for _ in listeners)}
        command = [sys.executable, "-P", "-m", "endpointd", "serve", "--log-format=json", "--listen=127.0.0.1:0"]
        command += [f"--plugins={self._shop.plugins}", f"--state={self._folder / 'state'}"]
        # The descriptors are to be those from 3 on.
        moves = " ".join(f"{3 + number}<&{listener.fileno()}" for number, listener in enumerate(listeners))
        script = f"{AS_THE_PROCESS} {moves}" if listeners else AS_THE_PROCESS
        said = {"NOTIFY_SOCKET": "@" + self._channel.getsockname()[1:].decode(), **(names if listeners else {})}
        with (self._folder / "log").open("a") as log:
            self.daemon = subprocess.Popen(
                ["/bin/bash", "-c", script, "daemon", *command],
                env=os.environ | said | variables,
                stdin=subprocess.DEVNULL,
                stderr=log,
                pass_fds=[listener.fileno() for listener in listeners],
            )

    def await_message(self, *parts: str) -> dict[str, str]:
        """The next message that has all of `parts`."""
        deadline = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < deadline:
            message = dict(line.split("=", 1) for line in self._channel.recv(4096).decode().splitlines())
            if set(parts) <= message.keys():
                return message
        raise AssertionError((self._folder / "log").read_text())

    def log(self) -> str:
        return (self._folder / "log").read_text()

    def stop(self) -> None:
        assert self.daemon is not None
        self.daemon.terminate()
        assert self.daemon.wait(WAIT_SECONDS) == 0, self.log()

    def close(self) -> None:
        if self.daemon is not None:
            self.daemon.kill()
            self.daemon.wait()
        self._channel.close()


@pytest.fixture
def manager(shop: Shop, tmp_path: Path) -> Iterator[Manager]:
    shop.put("shop", "open")
    manager = Manager(shop, tmp_path)
    yield manager
    manager.close()


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


def url_of(listener: socket.socket) -> str:
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_it_serves_on_each_socket_that_it_is_handed(manager: Manager, listener: socket.socket, tmp_path: Path) -> None:
    path = str(tmp_path / "http")
    with socket.socket(socket.AF_UNIX) as local, socket.socket(socket.AF_UNIX) as client:
        local.bind(path)
        local.listen()
        manager.start(listener, local)
        assert manager.await_message("READY")["X_ENDPOINTD_URL"] == url_of(listener)
        assert ask(url_of(listener), "/e/shop/").body == b"open"
        client.settimeout(WAIT_SECONDS)
        client.connect(path)
        client.sendall(plain("/e/shop/", "Connection: close"))
        assert b"".join(iter(lambda: client.recv(4096), b"")).endswith(b"open")
        manager.stop()
        # It is the manager's, and whoever connects now waits for the next daemon.
        assert Path(path).is_socket()
    where = url_of(listener).removeprefix("http://")
    assert f'"addresses": ["{where}", "unix:{path}"]' in manager.log()


def test_who_connects_while_there_is_no_daemon_is_answered_by_the_next(
    manager: Manager, listener: socket.socket
) -> None:
    manager.start(listener)
    manager.await_message("READY")
    manager.stop()
    with Client(url_of(listener)) as client:
        client.send(plain("/e/shop/"))
        manager.start(listener)
        assert client.read().body == b"open"


def test_what_is_no_listening_socket_is_refused(manager: Manager) -> None:
    with socket.socket() as other:
        manager.start(other)
        assert manager.daemon is not None
        assert manager.daemon.wait(WAIT_SECONDS) == 2
    assert "does not listen for connections" in manager.log()


def test_it_tells_the_manager_what_becomes_of_it(manager: Manager) -> None:
    manager.start()
    assert manager.await_message("READY")
    assert manager.await_message("STATUS")["STATUS"] == "1 plugin runs"
    assert manager.daemon is not None
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    manager.daemon.send_signal(signal.SIGHUP)
    assert int(manager.await_message("RELOADING")["MONOTONIC_USEC"]) >= before
    assert manager.await_message("READY")
    manager.daemon.terminate()
    # The drain clock, the kill clock and a margin.
    assert manager.await_message("STOPPING")["EXTEND_TIMEOUT_USEC"] == str((30 + 2 * 5 + 15) * 1_000_000)
    assert manager.daemon.wait(WAIT_SECONDS) == 0


def test_it_asks_for_time_while_it_waits_for_its_database(manager: Manager, tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    with closing(sqlite3.connect(tmp_path / "state" / "endpointd.db", isolation_level=None)) as held:
        held.execute("BEGIN EXCLUSIVE")
        manager.start()
        assert "READY" not in manager.await_message("EXTEND_TIMEOUT_USEC")
        held.execute("ROLLBACK")
    manager.await_message("READY")


def test_a_watchdog_is_fed_until_the_daemon_hangs(manager: Manager) -> None:
    manager.start(WATCHDOG_USEC="2000000")
    manager.await_message("READY")
    for _ in range(3):
        manager.await_message("WATCHDOG")
    assert manager.daemon is not None
    manager.daemon.send_signal(signal.SIGSTOP)
    while select.select([manager._channel], [], [], 2.0)[0]:
        manager._channel.recv(4096)
    # Nothing for two seconds: it hangs, and says so when it does no more.
    manager.daemon.send_signal(signal.SIGCONT)
    manager.await_message("WATCHDOG")
    assert '"loop.late"' in manager.log()


# Connections when the daemon ends


@pytest.fixture
def ending(manager: Manager, listener: socket.socket) -> Callable[[], None]:
    """Lets the daemon end; returns when a client that goes on asking has been told that its connection ends."""
    manager.start(listener)
    manager.await_message("READY")

    def end() -> None:
        assert manager.daemon is not None
        with Client(url_of(listener)) as client:
            assert client.request("/e/shop/").body == b"open"
            manager.daemon.terminate()
            while not (answer := client.request("/e/shop/")).closes:
                assert answer.body == b"open"
            assert answer.body == b"open"
            assert client.ends()

    return end


def test_a_client_that_has_just_connected_is_answered(listener: socket.socket, ending: Callable[[], None]) -> None:
    with Client(url_of(listener)) as client:
        # Another one's answers say that the connection before it has been accepted.
        ending()
        answer = client.request("/e/shop/")
        assert (answer.body, answer.closes) == (b"open", True)


def test_a_client_that_says_nothing_holds_nobody_up(
    manager: Manager, listener: socket.socket, ending: Callable[[], None]
) -> None:
    with Client(url_of(listener)) as client:
        assert client.request("/e/shop/").body == b"open"
        ending()
        assert client.ends()
    assert manager.daemon is not None
    assert manager.daemon.wait(WAIT_SECONDS) == 0
