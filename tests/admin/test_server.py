"""The server: whose state directory it is, who may connect, and how it ends."""

import asyncio
import errno
import grp
import json
import os
import socket
import stat
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from endpointd.admin import server, sockets
from endpointd.errors import OperatorError, UsageError
from support.fake_control import NEKO, AdminHost, FakeControl
from support.processes import Watched


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_nobody_else_may_connect(host: AdminHost) -> None:
    assert mode(host.state / "endpointd.sock") == 0o600


def test_the_socket_has_its_rights_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, int]] = []
    ordinary = Path.rename

    def rename(self: Path, target: Path) -> Path:
        seen.append((mode(self), mode(self.parent)))
        return ordinary(self, target)

    monkeypatch.setattr(Path, "rename", rename)
    before = os.umask(0)
    try:
        sockets.listen(tmp_path, None).close()
    finally:
        os.umask(before)
    assert seen == [(0o600, 0o700)]


def test_what_a_killed_daemon_left_is_replaced(tmp_path: Path, control: FakeControl) -> None:
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(tmp_path / "endpointd.sock"))
    (tmp_path / ".socket-left").mkdir()
    with AdminHost(tmp_path, control) as host, connected(host.state) as http:
        assert http.get("/api/v1/daemon").status_code == 200
        assert sorted(path.name for path in tmp_path.iterdir()) == ["endpointd.sock", "lock"]


def test_a_second_daemon_is_refused_and_the_first_goes_on(host: AdminHost, http: httpx.Client) -> None:
    with pytest.raises(OperatorError, match=f"another daemon \\(pid {os.getpid()}\\)") as caught:
        AdminHost(host.state, FakeControl()).__enter__()
    assert caught.value.code == "state_in_use"
    assert http.get("/api/v1/daemon").status_code == 200


def test_a_state_directory_without_room_is_told_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("tempfile.mkdtemp", refuse)
    with pytest.raises(OperatorError, match="No space left on device; make room there") as caught:
        sockets.listen(tmp_path, None)
    assert caught.value.code == "state_unusable"


HOLDER = """
import sys, pathlib
from endpointd.admin.sockets import StateLock
lock = StateLock(pathlib.Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_the_lock_is_the_processs_and_goes_with_it_however_it_ends(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(OperatorError, match=str(holder.pid)):
            sockets.StateLock(tmp_path)
        with Watched(holder.pid) as process:
            holder.kill()
            assert process.ends_within(10)
        sockets.StateLock(tmp_path).release()


def test_it_ends_without_a_trace_and_can_begin_again(tmp_path: Path) -> None:
    for _ in range(2):
        with AdminHost(tmp_path, FakeControl()) as host, connected(host.state) as http:
            assert http.get("/api/v1/daemon").status_code == 200
        assert [path.name for path in tmp_path.iterdir()] == ["lock"]


def test_an_end_before_it_has_begun_is_one(tmp_path: Path) -> None:
    with AdminHost(tmp_path, FakeControl()) as host:
        host.stop()
    assert not (tmp_path / "endpointd.sock").exists()


def test_a_path_of_any_length_will_do(tmp_path: Path) -> None:
    state = tmp_path.joinpath(*["a-long-name-of-a-folder"] * 8)
    state.mkdir(parents=True)
    with AdminHost(state, FakeControl()), sockets.OpenFolder(state) as folder:
        transport = httpx.HTTPTransport(uds=folder.path_of("endpointd.sock"))
        with httpx.Client(transport=transport, base_url="http://endpointd") as http:
            assert http.get("/api/v1/daemon").status_code == 200


def test_followers_get_an_end_that_is_whole_when_the_daemon_ends(
    host: AdminHost, http: httpx.Client, control: FakeControl
) -> None:
    journal = control.journals["acme/neko"]
    journal.append("output", "first")
    with http.stream("GET", "/api/v1/plugins/acme/neko/log", params={"follow": "true"}) as answer:
        lines = answer.iter_lines()
        assert json.loads(next(lines))["text"] == "first"
        stopping = threading.Thread(target=host.stop)
        stopping.start()
        assert list(lines) == []
    stopping.join(10)
    assert not stopping.is_alive()


def test_an_action_under_way_is_answered_before_the_end(host: AdminHost, control: FakeControl) -> None:
    gate = control.gate = host.do(asyncio.Event)
    answers: list[httpx.Response] = []

    def ask() -> None:
        with connected(host.state) as http:
            answers.append(http.post("/api/v1/plugins/acme/neko/stop"))

    asking = threading.Thread(target=ask)
    asking.start()
    while not host.do(lambda: control.calls):
        pass
    stopping = threading.Thread(target=host.stop)
    stopping.start()
    host.do(gate.set)
    stopping.join(10)
    asking.join(10)
    assert [answer.json()["state"] for answer in answers] == ["STOPPED"]


def test_nobody_can_keep_it_from_ending(tmp_path: Path, control: FakeControl, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "GRACE", 0.05)
    with AdminHost(tmp_path, control) as other, ExitStack() as stack:
        control.gate = other.do(asyncio.Event)
        path = str(other.state / "endpointd.sock")
        for request in (
            # It has not said what it wants.
            b"GET /api/v1/pl",
            # It waits for what never ends.
            b"POST /api/v1/plugins/acme/neko/restart HTTP/1.1\r\nHost: x\r\n\r\n",
            # It does not read what it has asked for.
            b"GET /api/v1/plugins/acme/neko/log?follow=true HTTP/1.1\r\nHost: x\r\n\r\n",
            # It does not send what it has announced.
            b"POST /api/v1/plugins HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-tar\r\nContent-Length: 9\r\n\r\n",
        ):
            client = stack.enter_context(socket.socket(socket.AF_UNIX))
            client.connect(path)
            client.sendall(request)
        while not other.do(lambda: control.calls and control.journals["acme/neko"].followers):
            pass
        for _ in range(20):
            other.do(lambda: control.journals["acme/neko"].append("output", "x" * 60_000))
        began = time.monotonic()
        other.stop()
        assert time.monotonic() - began < 3


# A group


def group_name() -> str:
    return grp.getgrgid(os.getgid()).gr_name


@pytest.mark.parametrize("group", [group_name(), str(os.getgid())])
def test_a_group_may_connect_and_pass_the_state_directory_but_not_list_it(tmp_path: Path, group: str) -> None:
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    with AdminHost(state, FakeControl(), admin_group=group):
        assert mode(state / "endpointd.sock") == 0o660
        assert (state / "endpointd.sock").stat().st_gid == os.getgid()
        assert mode(state) == 0o710


def test_a_state_directory_that_all_may_pass_stays_as_it_is(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with AdminHost(tmp_path, FakeControl(), admin_group=group_name()):
        assert mode(tmp_path) == 0o755


def test_a_group_that_is_not_there_is_an_error_that_lets_go_of_the_lock(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        AdminHost(tmp_path, FakeControl(), admin_group="no-such-group").__enter__()
    assert caught.value.code == "admin_group_unknown"
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]
    with AdminHost(tmp_path, FakeControl(NEKO)):
        pass


# What it costs


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Set when the parts of the server are imported and put together."""
    build, event = server._build, threading.Event()

    def seen(*arguments: Any) -> Any:  # noqa: ANN401
        event.set()
        return build(*arguments)

    monkeypatch.setattr(server, "_build", seen)
    return event


def test_its_parts_are_there_for_the_first_who_connects_and_not_before(
    tmp_path: Path, control: FakeControl, built: threading.Event
) -> None:
    with AdminHost(tmp_path, control) as host:
        with connected(host.state) as http:
            host.do(lambda: None)
            assert not built.is_set()
            assert http.get("/api/v1/daemon").status_code == 200
        assert built.is_set()


def test_its_parts_are_there_at_leisure_when_nobody_connects(
    tmp_path: Path, control: FakeControl, built: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "LEISURE", 0.01)
    with AdminHost(tmp_path, control):
        assert built.wait(10)


def test_an_end_before_anybody_has_connected_waits_for_nothing(
    tmp_path: Path, control: FakeControl, built: threading.Event
) -> None:
    with AdminHost(tmp_path, control):
        pass
    assert not built.is_set()
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]


def test_the_other_commands_do_not_wait_for_the_servers_packages() -> None:
    script = (
        "import sys, endpointd.cli.commands, endpointd.admin.server; print({'fastapi', 'httpx'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "set()\n"


def test_a_start_does_not_wait_for_what_most_daemons_do_not_use() -> None:
    late = [
        "alembic",
        "cryptography.x509",
        "fastapi",
        "httpx",
        "jinja2",
        "opentelemetry",
        "prometheus_client",
        "sqlalchemy",
    ]
    script = f"import sys, endpointd.app; print(sorted(set({late}) & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[]\n"


def connected(state: Path) -> httpx.Client:
    transport = httpx.HTTPTransport(uds=str(state / "endpointd.sock"))
    return httpx.Client(transport=transport, base_url="http://endpointd", timeout=10)
