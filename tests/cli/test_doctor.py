"""`endpointd doctor`, beside a daemon and without one."""

import errno
import json
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from endpointd.cli import kernel_checks
from endpointd.cli.tls_check import judge
from endpointd.sockets.lifetime import Lifetime
from endpointd.testing import DaemonStarter
from support.catalogue import write_catalogue


def examined(*flags: object) -> tuple[int, dict[str, dict[str, Any]]]:
    command = [sys.executable, "-P", "-m", "endpointd", "doctor", "--json", *map(str, flags)]
    outcome = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert outcome.stdout, outcome.stderr
    return outcome.returncode, {one["what"]: one for one in json.loads(outcome.stdout)}


def test_without_a_daemon_its_address_has_to_be_free(tmp_path: Path) -> None:
    plugins = write_catalogue(tmp_path / "plugins")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        status, found = examined("--plugins", plugins, "--state", tmp_path / "state", "--listen", address)
    assert (status, found["address"]["verdict"]) == (1, "failed")
    assert "in use" in found["address"]["says"]
    assert found["daemon"]["verdict"] == found["plugins"]["verdict"] == found["uv"]["verdict"] == "ok"
    assert found["kernel"]["verdict"] == "ok"
    assert not (tmp_path / "state").exists()
    status, found = examined("--plugins", tmp_path / "none", "--listen", "127.0.0.1:0")
    assert (status, found["plugins"]["verdict"], found["address"]["verdict"]) == (1, "failed", "ok")


def test_beside_a_daemon(start_daemon: DaemonStarter, tmp_path: Path) -> None:
    plugins, state = write_catalogue(tmp_path / "plugins"), tmp_path / "state"
    daemon = start_daemon(plugins, state=state)
    status, found = examined("--plugins", plugins, "--state", state, "--listen", f"127.0.0.1:{daemon.port}")
    assert (status, found["daemon"]["verdict"]) == (0, "ok")
    assert str(daemon.pid) in found["daemon"]["says"]
    assert "address" not in found


def test_beside_a_daemon_it_is_that_ones_plugins_that_count(start_daemon: DaemonStarter, tmp_path: Path) -> None:
    plugins, state = write_catalogue(tmp_path / "plugins"), tmp_path / "state"
    daemon = start_daemon(plugins, state=state)
    status, found = examined("--plugins", tmp_path / "none", "--state", state)
    assert (status, "plugins" in found) == (0, False)
    assert "plugins: 1 RUNNING" in found["daemon"]["says"]
    broken = plugins / "broken"
    broken.mkdir()
    (broken / "manifest.yaml").touch()
    daemon.wait_for_log("folder.refused")
    status, found = examined("--plugins", tmp_path / "none", "--state", state)
    assert (status, found["daemon"]["verdict"]) == (0, "warning")
    assert "1 REFUSED" in found["daemon"]["says"]


NOW = datetime(2026, 6, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("since", "until", "verdict"),
    [
        (-30, 60, "ok"),
        (-76, 14.1, "ok"),
        (-77, 13, "warning"),
        (-90, -0.01, "failed"),
        (0.01, 90, "failed"),
        # One of six days is renewed when a third of them is left.
        (-3.9, 2.1, "ok"),
        (-4.1, 1.9, "warning"),
    ],
)
def test_how_long_a_certificate_holds(since: float, until: float, verdict: str) -> None:
    found = judge(Lifetime(NOW + timedelta(days=since), NOW + timedelta(days=until)), NOW)
    assert (found.verdict, bool(found.remedy)) == (verdict, verdict != "ok")


@pytest.mark.parametrize(
    ("kept", "verdict", "words"),
    [(True, "ok", "kept right"), (False, "warning", "nothing keeps"), (None, "ok", "does not tell")],
)
def test_whether_something_keeps_the_clock_right(
    monkeypatch: pytest.MonkeyPatch, kept: bool | None, verdict: str, words: str
) -> None:
    assert kernel_checks.synchronized() in (True, False, None)
    monkeypatch.setattr(kernel_checks, "synchronized", lambda: kept)
    found = kernel_checks.clock()
    assert (found.verdict, words in found.says) == (verdict, True)
    monkeypatch.setattr("time.time", lambda: 0.0)
    assert kernel_checks.clock().verdict == "failed"


def test_what_the_kernel_does_not_have(monkeypatch: pytest.MonkeyPatch) -> None:
    before = Path("/proc/self/status").read_text()
    assert kernel_checks.kernel().verdict == "ok"
    privileges = [line for line in before.splitlines() if line.startswith("NoNewPrivs")]
    assert privileges[0] in Path("/proc/self/status").read_text()

    def forbidden(*_: object) -> int:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr("os.pidfd_open", forbidden)
    found = kernel_checks.kernel()
    assert (found.verdict, "pidfd_open" in found.says, "newer kernel" in found.remedy) == ("failed", True, True)
