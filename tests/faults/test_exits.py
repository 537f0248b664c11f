"""A plugin ends its process: its requests hear of it at once, the next one is answered, the others never notice."""

from pathlib import Path

import pytest

from endpointd.testing import RunningDaemon
from faults.conftest import Serve
from support.catalogue import fine, misbehave
from support.gates import Gate
from support.raw_http import Broken, Client, plain

DEADLY = {
    "os_exit": "exited with status 3",
    "abort": "SIGABRT",
    "sigkill": "SIGKILL",
    "sigsegv": "SIGSEGV",
    "sigterm": "exited with status 143",
    "killpg": "SIGKILL",
}
HARMLESS = ("sys_exit", "thread_exit", "interrupt")


@pytest.fixture(scope="module")
def daemon(serve_for_module: Serve) -> RunningDaemon:
    return serve_for_module("exits")


@pytest.mark.parametrize("way", DEADLY)
def test_an_end_before_the_answer_is_a_502(daemon: RunningDaemon, way: str) -> None:
    bystander, before = fine(daemon), fine(daemon, "exits")
    answer = misbehave(daemon, "exits", f"way={way}")
    assert (answer.status, answer.code) == (502, "worker_gone")
    assert fine(daemon) == bystander
    assert fine(daemon, "exits") != before
    failure = next(event for event in daemon.events() if event["event"] == "worker.failed" and event["pid"] == before)
    assert DEADLY[way] in failure["message"]


@pytest.mark.parametrize("way", DEADLY)
def test_an_end_within_a_stream_breaks_it_off(daemon: RunningDaemon, way: str, tmp_path: Path) -> None:
    before = fine(daemon, "exits")
    with Gate(tmp_path / "gate") as gate, Client(daemon.url) as client:
        client.send(plain(f"/e/exits/?way={way}&gate={gate.path}"))
        pieces = client.pieces(client.read_head())
        assert next(pieces) == b"first"
        fine(daemon)
        gate.open()
        with pytest.raises(Broken):
            list(pieces)
    fine(daemon)
    assert fine(daemon, "exits") != before


@pytest.mark.parametrize("way", HARMLESS)
def test_an_exit_that_ends_only_the_request_is_a_500(daemon: RunningDaemon, way: str) -> None:
    before = fine(daemon, "exits")
    answer = misbehave(daemon, "exits", f"way={way}")
    assert (answer.status, answer.code) == (500, "plugin_exception")
    assert fine(daemon, "exits") == before


@pytest.mark.parametrize("way", HARMLESS)
def test_an_exit_within_a_stream_breaks_only_that_off(daemon: RunningDaemon, way: str, tmp_path: Path) -> None:
    before = fine(daemon, "exits")
    with Gate(tmp_path / "gate") as gate, Client(daemon.url) as client:
        client.send(plain(f"/e/exits/?way={way}&gate={gate.path}"))
        pieces = client.pieces(client.read_head())
        assert next(pieces) == b"first"
        gate.open()
        with pytest.raises(Broken):
            list(pieces)
    assert fine(daemon, "exits") == before
