"""`endpointd serve` as a process: it starts, says where, stops when asked, and says why when it cannot."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from endpointd.testing import DaemonStarter
from support.eventually import eventually


def test_it_announces_its_address_and_ends_with_status_0(start_daemon: DaemonStarter, tmp_path: Path) -> None:
    daemon = start_daemon(tmp_path)
    with socket.create_connection(("127.0.0.1", daemon.port), timeout=5):
        pass
    assert daemon.stop() == 0


def test_every_line_of_its_json_log_is_an_event(start_daemon: DaemonStarter, tmp_path: Path) -> None:
    daemon = start_daemon(tmp_path, log_level="debug")
    assert daemon.stop() == 0
    assert len(daemon.events()) == len(daemon.log().splitlines())
    assert all(list(event)[:3] == ["timestamp", "level", "event"] for event in daemon.events())


def test_a_misspelt_variable_is_logged(start_daemon: DaemonStarter, tmp_path: Path) -> None:
    daemon = start_daemon(tmp_path, env={"ENDPOINTD_CLOCK_QUEU": "1"})
    assert "did you mean ENDPOINTD_CLOCK_QUEUE?" in daemon.wait_for_log("ENDPOINTD_CLOCK_QUEU")


def test_a_port_in_use_is_told_in_one_line_and_status_1(start_daemon: DaemonStarter, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(AssertionError, match="exited with status 1") as caught:
            start_daemon(tmp_path, listen=address)
    last = str(caught.value).splitlines()[-1]
    assert last.startswith("endpointd: error: ")
    assert address in last
    assert "Traceback" not in str(caught.value)


def test_a_missing_plugins_directory_is_told(start_daemon: DaemonStarter, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"exited with status [12]") as caught:
        start_daemon(tmp_path / "none")
    assert f"{tmp_path}/none" in str(caught.value).splitlines()[-1]
    assert "Traceback" not in str(caught.value)


@pytest.mark.parametrize("closed", ["2", "0 1 2"])
def test_a_descriptor_that_is_closed_leads_nowhere(tmp_path: Path, closed: str) -> None:
    (tmp_path / "plugins").mkdir()
    log = tmp_path / "log"
    log.touch()
    flags = [f"--plugins={tmp_path}/plugins", f"--state={tmp_path}/state", "--listen=127.0.0.1:0", f"--log-file={log}"]
    script = f'exec {sys.executable} -P -m endpointd serve "$@" ' + " ".join(f"{one}>&-" for one in closed.split())
    with subprocess.Popen(["sh", "-c", script, "sh", *flags], stdout=subprocess.DEVNULL) as daemon:
        try:
            eventually(lambda: '"ready"' in log.read_text() or daemon.poll() is not None, 30)
            assert daemon.poll() is None
            places = {os.readlink(f"/proc/{daemon.pid}/fd/{one}") for one in closed.split()}
        finally:
            daemon.terminate()
    assert places == {os.devnull}
    assert daemon.wait() == 0
    assert [json.loads(line)["event"] for line in log.read_text().splitlines()][-1] == "stopped"


def test_what_a_command_prints_to_a_closed_descriptor_is_lost() -> None:
    command = f"{sys.executable} -P -m endpointd"
    closed = subprocess.run(["sh", "-c", f"{command} --version >&-"], capture_output=True, text=True, check=False)
    assert (closed.returncode, closed.stderr) == (0, "")
    closed = subprocess.run(["sh", "-c", f"{command} new / 2>&-"], capture_output=True, text=True, check=False)
    assert (closed.returncode, closed.stdout) == (2, "")
