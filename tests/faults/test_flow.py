"""A side that does not read stops the other side, costs little memory, and delays nobody else."""

import select
from pathlib import Path

import pytest

from endpointd.testing import RunningDaemon
from faults.conftest import Serve
from support.catalogue import fine, misbehave
from support.gates import Gate
from support.processes import resident
from support.raw_http import Client, plain

MEBIBYTE = 1024 * 1024
GROWTH = 64 * MEBIBYTE
UPLOAD = 256 * MEBIBYTE
STALLED_AT_MOST = 32 * MEBIBYTE
"""Bytes that a stalled stream may have swallowed: both windows of the wire, and the socket buffers of the system."""

STILL_SECONDS = 0.5


@pytest.fixture(scope="module")
def daemon(serve_for_module: Serve) -> RunningDaemon:
    return serve_for_module("flow", limit_body="1GiB")


def chunks_made(daemon: RunningDaemon) -> int:
    answer = misbehave(daemon, "flow", "way=count")
    assert answer.status == 200
    return int(answer.body)


def wait_for_standstill(daemon: RunningDaemon) -> int:
    """How many chunks the plugin had made when it made no more for a hundred requests."""
    before, same = -1, 0
    for _ in range(10_000):
        made = chunks_made(daemon)
        same = same + 1 if made == before else 0
        before = made
        if same == 100:
            return made
    raise AssertionError(f"the plugin still goes on, at {before} chunks")


def test_a_client_that_stops_reading_stops_the_generator(daemon: RunningDaemon) -> None:
    worker = fine(daemon, "flow")
    memory = resident(daemon.pid), resident(worker)
    with Client(daemon.url, receive_buffer=65536) as client:
        client.send(plain("/e/flow/?way=stream"))
        pieces = client.pieces(client.read_head())
        next(pieces)
        made = wait_for_standstill(daemon)
        assert made * 65536 < STALLED_AT_MOST
        assert resident(daemon.pid) - memory[0] < GROWTH
        assert resident(worker) - memory[1] < GROWTH
        for _ in range(20):
            fine(daemon)
            assert fine(daemon, "flow") == worker
        taken = 0
        while taken < 2 * STALLED_AT_MOST:
            taken += len(next(pieces))
        assert chunks_made(daemon) > made
    assert fine(daemon, "flow") == worker


def test_twenty_stalled_clients_cost_little(daemon: RunningDaemon) -> None:
    worker = fine(daemon, "flow")
    memory = resident(daemon.pid), resident(worker)
    clients = [Client(daemon.url, receive_buffer=65536) for _ in range(20)]
    try:
        for client in clients:
            client.send(plain("/e/flow/?way=stream"))
        wait_for_standstill(daemon)
        assert resident(daemon.pid) - memory[0] < GROWTH
        assert resident(worker) - memory[1] < GROWTH
        assert fine(daemon, "flow") == worker
    finally:
        for client in clients:
            client.reset()
    fine(daemon)


def test_a_plugin_that_does_not_read_stops_the_upload(daemon: RunningDaemon, tmp_path: Path) -> None:
    worker = fine(daemon, "flow")
    memory = resident(daemon.pid), resident(worker)
    piece = b"x" * 65536
    with Gate(tmp_path / "gate") as gate, Client(daemon.url, timeout=30) as client:
        head = plain(f"/e/flow/?way=receive&gate={gate.path}", f"Content-Length: {UPLOAD}", method="POST")
        client.send(head)
        sent = 0
        while select.select([], [client], [], STILL_SECONDS)[1]:
            sent += client.send_some(piece)
            assert sent < STALLED_AT_MOST
        assert resident(daemon.pid) - memory[0] < GROWTH
        assert resident(worker) - memory[1] < GROWTH
        for _ in range(20):
            fine(daemon)
            assert fine(daemon, "flow") == worker
        gate.open()
        while sent < UPLOAD:
            sent += client.send_some(piece[: UPLOAD - sent])
        answer = client.read("POST")
    assert (answer.status, answer.body) == (200, str(UPLOAD).encode())
    assert resident(daemon.pid) - memory[0] < GROWTH
    assert resident(worker) - memory[1] < GROWTH
