"""`endpointd doctor`, beside a daemon and without one."""

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

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
