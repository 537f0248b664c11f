"""The sd_notify protocol: one datagram with all fields, to a path or an abstract name, or nowhere."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from endpointd.systemd.notify import notify


@pytest.fixture
def manager() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.settimeout(5)
        yield server


def test_one_message_to_a_path(manager: socket.socket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manager.bind(str(tmp_path / "n"))
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "n"))
    assert notify(READY=1, X_ENDPOINTD_URL="http://127.0.0.1:1", STATUS="läuft")
    assert manager.recv(1000).decode() == "READY=1\nX_ENDPOINTD_URL=http://127.0.0.1:1\nSTATUS=läuft"


def test_an_abstract_name(manager: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    manager.bind("")
    monkeypatch.setenv("NOTIFY_SOCKET", "@" + manager.getsockname()[1:].decode())
    assert notify(STOPPING=1)
    assert manager.recv(1000) == b"STOPPING=1"


@pytest.mark.parametrize("address", [None, ""])
def test_nobody_listens(address: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    if address is not None:
        monkeypatch.setenv("NOTIFY_SOCKET", address)
    assert not notify(READY=1)


@pytest.mark.parametrize("name", ["none", "x" * 200])
def test_a_manager_that_cannot_be_reached_stops_nobody(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / name))
    assert not notify(READY=1)


def test_a_manager_that_does_not_read_holds_nobody_up(manager: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    manager.bind("")
    monkeypatch.setenv("NOTIFY_SOCKET", "@" + manager.getsockname()[1:].decode())
    assert not all(notify(STATUS="x" * 1000) for _ in range(10_000))


def test_a_line_break_cannot_begin_a_field_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", "@nobody")
    with pytest.raises(ValueError, match="STATUS contains a line break"):
        notify(STATUS="fine\nREADY=1")
