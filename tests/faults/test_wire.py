"""A plugin that speaks on the wire itself poisons its own connection, and reaches nobody else's requests."""

import contextlib

import pytest

from endpointd.testing import RunningDaemon
from faults.conftest import Serve
from support.catalogue import fine, misbehave
from support.gates import Gate
from support.raw_http import Broken, Client, plain


@pytest.fixture(scope="module")
def daemon(serve_for_module: Serve) -> RunningDaemon:
    return serve_for_module("speaks", "waits", clock_first_byte=20, clock_cancel_grace=0.2)


@pytest.mark.parametrize(
    ("way", "reason"),
    [
        ("garbage", "a frame announces 4294967295 bytes"),
        ("text", "a frame announces 1214606444 bytes"),
        ("no_array", "a frame is not an array"),
        ("oversize", "a frame announces 1048577 bytes"),
        ("a_hosts_word", "does not say Ping"),
        ("second_hello", "Hello came when the connection was open"),
        ("second_ready", "Ready came when the connection was open"),
        ("future_response", "Response came for stream 1000000, which never was"),
        ("future_data", "Data came for stream 1000000, which never was"),
        ("future_closed", "Closed came for stream 1000000, which never was"),
        ("future_failed", "Failed came for stream 1000000, which never was"),
        ("future_credit", "Credit came for stream 1000000, which never was"),
        ("stream_zero", "Closed came for stream 0, which never was"),
        ("negative_stream", "Closed came for stream -1, which never was"),
        ("too_much_credit", "a credit of 1 bytes on top of"),
        ("no_credit", "a credit of 0 bytes"),
        ("closed_unanswered", "Closed (end None) came when the answer was awaited"),
        ("unknown_end", "Response (end 3) came when the answer was awaited"),
        ("body_before_head", "Data (end 0) came when the answer was awaited"),
    ],
)
def test_what_no_worker_says_poisons_the_connection(daemon: RunningDaemon, way: str, reason: str) -> None:
    bystander, before = fine(daemon), fine(daemon, "speaks")
    answer = misbehave(daemon, "speaks", f"way={way}")
    assert (answer.status, answer.code) == (502, "worker_gone")
    assert reason in answer.json()["detail"]
    assert b"forged" not in answer.body
    assert fine(daemon) == bystander
    assert fine(daemon, "speaks") != before
    failure = next(event for event in daemon.events() if event["event"] == "worker.failed" and event["pid"] == before)
    assert reason in failure["message"]


def test_the_log_shows_the_first_bytes_of_a_bad_frame_and_the_client_does_not_see_them(daemon: RunningDaemon) -> None:
    before = fine(daemon, "speaks")
    answer = misbehave(daemon, "speaks", "way=text")
    assert b"Hello" not in answer.body
    daemon.wait_for_log(f'"pid": {before}, "problems": null, "frame": "b\'Hello, world! This is not msgpack.')


@pytest.mark.parametrize("way", ["past_response", "past_data", "past_closed"])
def test_what_is_said_on_a_stream_that_is_over_is_dropped(daemon: RunningDaemon, way: str) -> None:
    before = fine(daemon, "speaks")
    answer = misbehave(daemon, "speaks", f"way={way}")
    assert (answer.status, answer.body) == (200, b"honest")
    assert fine(daemon, "speaks") == before


def test_a_worker_that_leaves_within_a_frame_is_gone(daemon: RunningDaemon) -> None:
    answer = misbehave(daemon, "speaks", "way=unfinished")
    assert (answer.status, answer.code) == (502, "worker_gone")
    fine(daemon, "speaks")


def test_an_oversized_piece_breaks_the_answer_off(daemon: RunningDaemon) -> None:
    """Or, if its head comes with it, nothing of the answer has left, and there is an error in its place."""
    with Client(daemon.url) as client, contextlib.suppress(Broken):
        answer = client.request("/e/speaks/?way=oversized_piece")
        assert (answer.status, answer.code) == (502, "worker_gone")
    daemon.wait_for_log("262145 bytes of body are more than")
    fine(daemon, "speaks")


def test_requests_at_other_workers_keep_their_own_answers(
    daemon: RunningDaemon, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Streams are numbered by connection: forged answers cannot even name a request of another worker."""
    directory = tmp_path_factory.mktemp("gate")
    with Gate(directory / "gate") as gate, Gate(directory / "arrived") as arrived, Client(daemon.url) as client:
        client.send(plain(f"/e/waits/?gate={gate.path}&arrived={arrived.path}"))
        arrived.wait()
        for way in ("past_response", "future_response", "future_closed", "garbage"):
            misbehave(daemon, "speaks", f"way={way}")
        gate.open()
        answer = client.read()
    assert (answer.status, answer.body) == (200, b"waited")


def test_a_frame_that_never_ends_costs_the_request_its_clock(serve: Serve) -> None:
    """Nothing that follows can be read; the cancelled request never comes back, so the worker is replaced."""
    daemon = serve("speaks", clock_first_byte=0.3, clock_cancel_grace=0.2, clock_drain=0.2, clock_kill=0.2)
    before = fine(daemon, "speaks")
    answer = misbehave(daemon, "speaks", "way=begun")
    assert (answer.status, answer.code) == (504, "clock_first_byte")
    daemon.wait_for_log("worker.hung")
    assert fine(daemon, "speaks") != before
