"""A plugin closes descriptors: standard ones are its own affair, the wire's end is its worker's end."""

from pathlib import Path

import pytest

from endpointd.testing import RunningDaemon
from faults.conftest import Serve
from support.catalogue import fine, misbehave
from support.gates import Gate
from support.raw_http import Client, plain


@pytest.fixture(scope="module")
def daemon(serve_for_module: Serve) -> RunningDaemon:
    return serve_for_module("descriptors")


@pytest.mark.parametrize("way", ["stdin", "stdout", "output"])
def test_standard_descriptors_are_not_needed(daemon: RunningDaemon, way: str) -> None:
    worker = fine(daemon, "descriptors")
    assert misbehave(daemon, "descriptors", f"way={way}").body == b"closed"
    assert fine(daemon, "descriptors") == worker
    fine(daemon)


@pytest.mark.parametrize("way", ["all", "all_but_standard", "replaced"])
@pytest.mark.parametrize("late", [False, True], ids=["by the thread that reads", "by another thread"])
def test_without_its_wire_a_worker_is_replaced_at_once(
    daemon: RunningDaemon, way: str, late: bool, tmp_path: Path
) -> None:
    bystander, before = fine(daemon), fine(daemon, "descriptors")
    with Gate(tmp_path / "gate") as gate, Client(daemon.url) as client:
        if not late:
            gate.open()
        client.send(plain(f"/e/descriptors/?way={way}&gate={gate.path}"))
        if late:
            assert fine(daemon, "descriptors") == before
            gate.open()
        answer = client.read()
    assert (answer.status, answer.code) == (502, "worker_gone")
    assert fine(daemon) == bystander
    assert fine(daemon, "descriptors") != before
