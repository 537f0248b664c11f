"""A plugin that misbehaves while it is imported: it is tried again, told what is wrong, and given up in the end."""

import re
import signal
from pathlib import Path
from typing import Any

import pytest

from endpointd.testing import DaemonStarter, RunningDaemon
from faults.conftest import SETTINGS
from support.catalogue import fine, kill_worker, misbehave, unexplained, write_catalogue
from support.eventually import eventually
from support.processes import Watched, workers

REASONS = {
    "raise": "importing source.py raised ZeroDivisionError: at import",
    "sys_exit": "importing source.py raised SystemExit: 3",
    "os_exit": "exited with status 3 before it was ready",
    "kill": "was killed by SIGKILL before it was ready",
    "sleep": "did not become ready in 1.5 s (still importing?); clock_start can be raised",
    "spin": "did not become ready in 1.5 s (still importing?); clock_start can be raised",
    "recurse": "RecursionError",
    "missing": "importing source.py raised ModuleNotFoundError: No module named 'no_such_module'",
    "close_wire": "before it was ready",
}


def write(directory: Path, *orders: str) -> Path:
    """The catalogue's plugin `importing`, to be imported as `orders` say, one after the other."""
    write_catalogue(directory, "importing")
    file = directory / "importing" / "source.py"
    # The release has a copy of the plugin's files for each version, so the orders are kept where all find them.
    file.write_text(
        file.read_text().replace('Path(__file__).with_name("orders")', f"Path({str(directory / '.orders')!r})")
    )
    (directory / ".orders").write_text("\n".join(orders))
    return directory


def impatience(directory: Path, way: str) -> dict[str, Any]:
    """Settings by which a plugin that never gets ready is told soon, while all else has its time on a busy machine."""
    file = directory / ".endpointd.toml"
    clock = "clock_start = 1.5\n" if way in ("sleep", "spin") else ""
    file.write_text(f'[plugin."test/importing"]\n{clock}clock_kill = 0.2\n')
    return {"config": file}


def state_lines(daemon: RunningDaemon) -> list[str]:
    """The states that the plugin went through."""
    events = [event for event in daemon.events() if event["event"] == "plugin.state"]
    return [event["state"] for event in events if event["plugin"] == "test/importing"]


@pytest.mark.parametrize("way", REASONS)
def test_one_failure_is_tried_again_at_once(start_daemon: DaemonStarter, tmp_path: Path, way: str) -> None:
    daemon = start_daemon(write(tmp_path, way), **impatience(tmp_path, way))
    fine(daemon)
    assert misbehave(daemon, "importing").body == b"imported"
    assert state_lines(daemon) == ["STARTING", "BACKOFF", "STARTING", "RUNNING"]
    assert REASONS[way] in daemon.wait_for_log("worker.failed").replace('\\"', '"')
    assert unexplained(daemon, "importing") == []


@pytest.mark.parametrize("way", ["sleep", "spin"])
def test_a_worker_that_does_not_get_ready_says_where_it_stood(
    start_daemon: DaemonStarter, tmp_path: Path, way: str
) -> None:
    daemon = start_daemon(write(tmp_path, way), **impatience(tmp_path, way))
    fine(daemon)
    output = [event["line"] for event in daemon.events() if event["event"] == "plugin.output"]
    assert [line for line in output if re.search(rf'source\.py", line \d+ in {way}$', line)]


@pytest.mark.parametrize("way", ["slow", "interrupt"])
def test_what_is_no_failure_is_not_taken_for_one(start_daemon: DaemonStarter, tmp_path: Path, way: str) -> None:
    daemon = start_daemon(write(tmp_path, way), clock_ping=0.5)
    assert misbehave(daemon, "importing").body == b"imported"
    assert state_lines(daemon) == ["STARTING", "RUNNING"]


@pytest.mark.parametrize("way", ["raise", "os_exit", "spin"])
def test_a_crash_loop_ends_in_fatal(start_daemon: DaemonStarter, tmp_path: Path, way: str) -> None:
    directory = write(tmp_path, *[way] * 10)
    daemon = start_daemon(directory, restart_limit=3, restart_longest=0.1, **impatience(tmp_path, way))
    bystander = fine(daemon)
    daemon.wait_for_log('"plugin": "test/importing", "state": "FATAL"', timeout=20)
    answer = misbehave(daemon, "importing")
    assert (answer.status, answer.code) == (503, "plugin_fatal")
    assert answer.one("retry-after") is None
    assert state_lines(daemon) == ["STARTING", "BACKOFF"] * 2 + ["STARTING", "FATAL"]
    assert fine(daemon) == bystander
    assert workers(daemon.pid) == [bystander]
    assert unexplained(daemon, "importing") == []


def test_a_request_waits_for_the_next_worker_when_the_queue_has_no_clock(
    start_daemon: DaemonStarter, tmp_path: Path
) -> None:
    daemon = start_daemon(write(tmp_path, "os_exit", "os_exit"), clock_queue=0)
    assert misbehave(daemon, "importing").body == b"imported"


def test_a_worker_that_dies_again_and_again_is_given_up(start_daemon: DaemonStarter, tmp_path: Path) -> None:
    daemon = start_daemon(write(tmp_path), restart_limit=3, restart_longest=0.1)
    for _ in range(3):
        kill_worker(daemon, "importing")
    answer = misbehave(daemon, "importing")
    assert (answer.status, answer.code) == (503, "plugin_fatal")
    assert "was killed by SIGKILL" in answer.json()["detail"]
    fine(daemon)


def test_a_worker_that_was_stable_is_not_given_up(start_daemon: DaemonStarter, tmp_path: Path) -> None:
    daemon = start_daemon(write(tmp_path), restart_limit=2, **SETTINGS)
    for _ in range(4):
        kill_worker(daemon, "importing")
    assert misbehave(daemon, "importing").status == 200


def test_requests_wait_for_a_restart_that_comes_within_their_clock(start_daemon: DaemonStarter, tmp_path: Path) -> None:
    daemon = start_daemon(write(tmp_path, "raise", "raise"), restart_longest=0.1)
    assert misbehave(daemon, "importing").body == b"imported"


def test_a_request_is_told_that_the_worker_is_still_starting(start_daemon: DaemonStarter, tmp_path: Path) -> None:
    daemon = start_daemon(write(tmp_path, "good", "spin"), clock_queue=0.1)
    kill_worker(daemon, "importing")
    eventually(lambda: state_lines(daemon)[-1] == "STARTING")
    answer = misbehave(daemon, "importing")
    assert (answer.status, answer.code, answer.one("retry-after")) == (503, "plugin_starting", "1")
    assert re.search(
        r"has been starting for \d+ s, after 1 failure; see 'endpointd status test/importing'", answer.json()["detail"]
    )


def test_a_request_is_told_when_the_next_try_comes_later_than_it_would_wait(
    start_daemon: DaemonStarter, tmp_path: Path
) -> None:
    daemon = start_daemon(write(tmp_path, *["raise"] * 5), clock_queue=0.1, restart_longest=60)
    daemon.wait_for_log('"message": "the plugin cannot be loaded"')
    codes = set()
    for _ in range(50):
        answer = misbehave(daemon, "importing")
        codes.add((answer.status, answer.code))
        if answer.code == "plugin_backoff":
            assert int(answer.one("retry-after") or 0) >= 1
            break
    assert codes <= {(503, "plugin_backoff"), (503, "plugin_starting")}
    assert (503, "plugin_backoff") in codes
    fine(daemon)


@pytest.mark.parametrize("way", ["sleep", "spin"])
def test_stopping_does_not_wait_for_an_import(start_daemon: DaemonStarter, tmp_path: Path, way: str) -> None:
    daemon = start_daemon(write(tmp_path, "good", way), clock_drain=30)
    kill_worker(daemon, "importing")
    daemon.wait_for_log("<importing>")
    assert daemon.stop(timeout=9) == 0


@pytest.mark.parametrize("way", ["sleep", "spin"])
def test_a_worker_that_is_importing_ends_when_the_daemon_is_killed(
    start_daemon: DaemonStarter, tmp_path: Path, way: str
) -> None:
    daemon = start_daemon(write(tmp_path, "good", way))
    bystander = fine(daemon)
    before = kill_worker(daemon, "importing")
    daemon.wait_for_log("<importing>")
    [worker] = set(workers(daemon.pid)) - {bystander, before}
    with Watched(worker) as watched:
        try:
            daemon.kill()
            assert watched.ends_within()
        finally:
            watched.send(signal.SIGKILL)
