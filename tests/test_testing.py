"""The fixture `start_daemon`, with real daemons: what it gives to tests, and what it does not let pass."""

import os
import signal
import urllib.request
from pathlib import Path

import pytest

from endpointd.testing import DaemonStarter, RunningDaemon

EXAMPLES = Path(__file__).parents[1] / "plugins"


@pytest.fixture
def starter(tmp_path_factory: pytest.TempPathFactory) -> DaemonStarter:
    """One whose end the test brings about itself."""
    return DaemonStarter(tmp_path_factory.mktemp)


def is_gone(daemon: RunningDaemon) -> bool:
    return daemon.process.poll() is not None


def test_one_plugin_is_served_alone(start_daemon: DaemonStarter) -> None:
    daemon = start_daemon.one(EXAMPLES / "duck")
    assert daemon.url == f"http://127.0.0.1:{daemon.port}"
    with urllib.request.urlopen(f"{daemon.url}/e/duck/duck/donald", timeout=10) as answer:
        assert answer.read() == b"donald <br>"


def test_settings_become_flags(start_daemon: DaemonStarter, tmp_path: Path) -> None:
    daemon = start_daemon(
        tmp_path,
        log_format="console",
        development=True,
        auto_endpoints=False,
        public_url=None,
        trusted_proxies=["10.0.0.0/8", "::1"],
    )
    arguments = Path(f"/proc/{daemon.pid}/cmdline").read_text().split("\0")
    assert {"--log-format=console", "--development", "--no-auto-endpoints"} < set(arguments)
    assert "--trusted-proxies=10.0.0.0/8,::1" in arguments
    assert not any("public-url" in argument for argument in arguments)


def test_settings_of_the_surroundings_do_not_reach_the_daemon(
    start_daemon: DaemonStarter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENDPOINTD_LISTEN", "nonsense")
    monkeypatch.setenv("ENDPOINTD_QUEUE_SIZE", "nonsense")
    assert start_daemon(tmp_path, env={"ENDPOINTD_LOG_LEVEL": "debug"}).port > 0


def test_a_daemon_that_cannot_start_fails_with_its_log(start_daemon: DaemonStarter, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="exited with status 2") as caught:
        start_daemon(tmp_path, clock_queue="soon")
    assert "--clock-queue: clock_queue = 'soon' cannot be used" in str(caught.value)


def test_stopping_ends_with_status_0_and_twice_is_once(start_daemon: DaemonStarter, tmp_path: Path) -> None:
    daemon = start_daemon(tmp_path)
    assert (daemon.stop(), daemon.stop()) == (0, 0)


def test_all_daemons_are_stopped_in_the_end(starter: DaemonStarter, tmp_path: Path) -> None:
    daemons = [starter(tmp_path), starter(tmp_path)]
    starter.stop_all()
    assert all(is_gone(daemon) for daemon in daemons)


def test_a_daemon_that_the_test_kills_is_no_failure(starter: DaemonStarter, tmp_path: Path) -> None:
    daemon = starter(tmp_path)
    daemon.kill()
    assert daemon.process.returncode == -signal.SIGKILL
    starter.stop_all()


def test_a_daemon_that_dies_otherwise_is_a_failure(starter: DaemonStarter, tmp_path: Path) -> None:
    dead, alive = starter(tmp_path), starter(tmp_path)
    os.kill(dead.pid, signal.SIGKILL)
    with pytest.raises(AssertionError, match="exited with -9"):
        starter.stop_all()
    assert is_gone(alive)


def test_a_daemon_that_does_not_stop_is_killed_and_a_failure(starter: DaemonStarter, tmp_path: Path) -> None:
    daemon = starter(tmp_path)
    os.kill(daemon.pid, signal.SIGSTOP)
    assert daemon.stop(timeout=0.1) == -signal.SIGKILL
    with pytest.raises(AssertionError, match="exited with -9"):
        starter.stop_all()


def test_waiting_for_a_line_ends_with_the_daemon(start_daemon: DaemonStarter, tmp_path: Path) -> None:
    daemon = start_daemon(tmp_path)
    daemon.stop()
    with pytest.raises(AssertionError, match="no 'never said' in the log"):
        daemon.wait_for_log("never said", timeout=100)
