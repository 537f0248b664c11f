"""Requests that never end, and workers that will not: clocks, replacement, and an end in spite of everything."""

import json
from pathlib import Path

import pytest

from faults.conftest import Serve
from support.catalogue import fine, misbehave
from support.gates import Gate
from support.processes import Watched
from support.raw_http import Client, plain

CLOCKS = {"clock_first_byte": 0.3, "clock_cancel_grace": 0.2, "clock_drain": 0.2, "clock_kill": 0.2}


@pytest.mark.parametrize("way", ["sleep", "spin", "stop"])
def test_a_request_that_never_ends_is_a_504_and_its_worker_is_replaced(serve: Serve, way: str) -> None:
    daemon = serve("hangs", **CLOCKS)
    before = fine(daemon, "hangs")
    with Watched(before) as worker:
        answer = misbehave(daemon, "hangs", f"way={way}")
        assert (answer.status, answer.code) == (504, "clock_first_byte")
        hung = json.loads(daemon.wait_for_log("worker.hung"))
        assert (hung["request"], hung["interface"]) == (answer.json()["request_id"], "GET /")
        daemon.wait_for_log("worker.switched")
        assert fine(daemon, "hangs") != before
        assert worker.ends_within(10)
    fine(daemon)


def test_a_request_that_is_answered_but_never_closed_does_not_keep_its_place(serve: Serve) -> None:
    daemon = serve("hangs", **CLOCKS, clock_idle=0.3)
    before = fine(daemon, "hangs")
    assert misbehave(daemon, "hangs", "way=closing").status == 200
    daemon.wait_for_log("worker.switched")
    assert fine(daemon, "hangs") != before


def test_a_hung_worker_answers_others_while_its_grace_lasts(serve: Serve) -> None:
    daemon = serve("hangs", **{**CLOCKS, "clock_first_byte": 0.3, "clock_cancel_grace": 60})
    before = fine(daemon, "hangs")
    assert misbehave(daemon, "hangs", "way=sleep").status == 504
    assert fine(daemon, "hangs") == before


def test_the_other_requests_of_a_replaced_worker_finish(serve: Serve, tmp_path: Path) -> None:
    daemon = serve("waits", clock_first_byte=0.5, clock_cancel_grace=0.2, clock_drain=30)
    before = fine(daemon, "waits")
    with Gate(tmp_path / "gate") as gate, Gate(tmp_path / "never") as never, Client(daemon.url) as client:
        client.send(plain(f"/e/waits/?chunk=10&gate={gate.path}"))
        pieces = client.pieces(client.read_head())
        assert next(pieces) == b"x" * 10
        with Client(daemon.url) as hung:
            answer = hung.request(f"/e/waits/?gate={never.path}")
            assert (answer.status, answer.code) == (504, "clock_first_byte")
        daemon.wait_for_log("worker.switched")
        after = fine(daemon, "waits")
        assert after != before
        gate.open()
        assert b"".join(pieces) == b"last"
        never.open()
        assert fine(daemon, "waits") == after
    daemon.wait_for_log(f'"pid": {before}, "how": "exited with status 0"')


def test_the_requests_of_a_replaced_worker_are_counted(serve: Serve) -> None:
    daemon = serve("hangs", **{**CLOCKS, "clock_drain": 1})
    before = fine(daemon, "hangs")
    misbehave(daemon, "hangs", "way=sleep")
    daemon.wait_for_log("worker.switched")
    assert fine(daemon, "hangs") != before
    daemon.stop()
    assert [event["in_flight"] for event in daemon.events() if event["event"] == "stopping"] == [1]


@pytest.mark.parametrize("way", ["stop", "hold"])
def test_a_worker_that_does_not_answer_a_ping_is_replaced(serve: Serve, way: str) -> None:
    daemon = serve("hangs", clock_ping=1, clock_first_byte=0)
    before = fine(daemon, "hangs")
    answer = misbehave(daemon, "hangs", f"way={way}")
    assert (answer.status, answer.code) == (502, "worker_gone")
    assert fine(daemon, "hangs") != before
    assert "did not answer a ping for 1 s" in daemon.wait_for_log("worker_unresponsive")
    if way == "hold":
        assert 'source.py\\", line' in daemon.wait_for_log(" in hold")


def test_requests_wait_while_it_is_not_known_whether_their_worker_answers(serve: Serve) -> None:
    daemon = serve("hangs", **{**CLOCKS, "clock_drain": 0.2})
    before = fine(daemon, "hangs")
    assert misbehave(daemon, "hangs", "way=stop").status == 504
    daemon.wait_for_log("worker.hung")
    # It goes to no worker that is stopped, but to the next one.
    assert fine(daemon, "hangs") != before


@pytest.mark.parametrize("way", ["thread", "stop"])
def test_a_worker_that_will_not_end_is_killed(serve: Serve, way: str) -> None:
    daemon = serve("hangs", **CLOCKS)
    with Watched(fine(daemon, "hangs")) as worker:
        assert misbehave(daemon, "hangs", f"way={way}").status in (200, 504)
        assert daemon.stop() == 0
        assert not worker.is_alive()


def test_a_hung_request_does_not_hold_up_the_end(serve: Serve, tmp_path: Path) -> None:
    daemon = serve("hangs", "waits", **{**CLOCKS, "clock_first_byte": 0})
    with Client(daemon.url) as client, Gate(tmp_path / "arrived") as arrived, Gate(tmp_path / "gate") as gate:
        client.send(plain(f"/e/waits/?gate={gate.path}&arrived={arrived.path}"))
        arrived.wait()
        with Watched(fine(daemon, "hangs")) as hangs, Watched(fine(daemon, "waits")) as waits:
            assert daemon.stop() == 0
            assert not hangs.is_alive()
            assert not waits.is_alive()
