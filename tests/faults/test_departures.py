"""The client goes away: a plugin that has begun to answer is told, and its place is free again."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from endpointd.testing import RunningDaemon
from faults.conftest import Serve
from support.catalogue import fine
from support.gates import Gate
from support.raw_http import Client, plain


@pytest.fixture(scope="module")
def daemon(serve_for_module: Serve) -> RunningDaemon:
    """With one place, so that an answer to the next request says that it is free."""
    return serve_for_module("flow", "waits", concurrency=1, clock_queue=30, clock_cancel_grace=60)


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Gate]:
    """What the plugin tells."""
    with Gate(tmp_path / "told") as gate:
        yield gate


@pytest.mark.parametrize("query", ["size=65536", "size=1", "size=1&pause=0.05", "size=0&pause=0.05"])
@pytest.mark.parametrize("leave", ["reset", "close"])
def test_the_generator_is_closed_and_the_callback_called(
    daemon: RunningDaemon, told: Gate, query: str, leave: str
) -> None:
    worker = fine(daemon, "flow")
    with Client(daemon.url) as client:
        client.send(plain(f"/e/flow/?way=watch&told={told.path}&{query}"))
        pieces = client.pieces(client.read_head())
        if not query.startswith("size=0"):
            next(pieces)
        if leave == "reset":
            client.reset()
    assert told.wait() + told.wait() == b"gc"
    assert fine(daemon, "flow") == worker
    assert told.is_silent()


def test_a_client_that_leaves_while_it_does_not_read(daemon: RunningDaemon, told: Gate) -> None:
    worker = fine(daemon, "flow")
    with Client(daemon.url, receive_buffer=4096) as client:
        client.send(plain(f"/e/flow/?way=watch&told={told.path}&size=1000000"))
        client.read_head()
    assert told.wait() + told.wait() == b"gc"
    assert fine(daemon, "flow") == worker


def test_a_client_that_leaves_while_it_uploads(daemon: RunningDaemon, told: Gate) -> None:
    worker = fine(daemon, "flow")
    with Client(daemon.url) as client:
        client.send(plain(f"/e/flow/?way=watch_body&told={told.path}", "Content-Length: 100", method="POST"), b"x" * 10)
        assert told.wait() == b"r"
    assert told.wait() == b"d"
    assert fine(daemon, "flow") == worker


def test_what_is_done_before_the_answer_is_done_to_its_end(serve: Serve, tmp_path: Path) -> None:
    """Whoever calls a webhook may not wait so long, and counts on it."""
    daemon = serve("waits", concurrency=1, clock_cancel_grace=0, clock_drain=0, clock_kill=0)
    worker = fine(daemon, "waits")
    with Gate(tmp_path / "gate") as gate, Gate(tmp_path / "arrived") as arrived, Gate(tmp_path / "done") as done:
        with Client(daemon.url) as client:
            client.send(plain(f"/e/waits/?gate={gate.path}&arrived={arrived.path}&done={done.path}"))
            arrived.wait()
        # The daemon has seen that the client has gone when it has answered somebody who came later.
        fine(daemon)
        gate.open()
        assert done.wait() == b"!"
        assert fine(daemon, "waits") == worker
    assert "worker.hung" not in daemon.log()


def test_but_not_longer_than_its_clock(serve: Serve, tmp_path: Path) -> None:
    daemon = serve("waits", concurrency=1, clock_first_byte=0.3, clock_cancel_grace=0, clock_drain=0, clock_kill=0)
    worker = fine(daemon, "waits")
    with Gate(tmp_path / "gate") as gate, Gate(tmp_path / "arrived") as arrived:
        with Client(daemon.url) as client:
            client.send(plain(f"/e/waits/?gate={gate.path}&arrived={arrived.path}"))
            arrived.wait()
        daemon.wait_for_log('"because": "clock_first_byte"')
        assert fine(daemon, "waits") != worker


def test_a_plugin_that_does_not_notice_is_replaced(serve: Serve, tmp_path: Path) -> None:
    daemon = serve("waits", concurrency=1, clock_cancel_grace=0.3, clock_drain=0.3, clock_kill=0.3)
    worker = fine(daemon, "waits")
    with Gate(tmp_path / "gate") as gate, Gate(tmp_path / "arrived") as arrived:
        with Client(daemon.url) as client:
            client.send(plain(f"/e/waits/?gate={gate.path}&arrived={arrived.path}&chunk=1"))
            arrived.wait()
        assert fine(daemon, "waits") != worker
