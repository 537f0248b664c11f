"""A plugin may write what it likes: it ends in the log, and never in an answer or in anybody's way."""

import pytest

from endpointd.testing import RunningDaemon
from faults.conftest import Serve
from support.catalogue import fine, misbehave
from support.raw_http import Client, plain


@pytest.fixture(scope="module")
def daemon(serve_for_module: Serve) -> RunningDaemon:
    """Logs whatever is written; tests/observe has the bound on that."""
    return serve_for_module("writes", output_rate=0)


def written(daemon: RunningDaemon, mark: str) -> int:
    """How many characters the log has in those lines of the plugin's output that hold nothing but `mark`."""
    lines = (event["line"] for event in daemon.events() if event["event"] == "plugin.output")
    return sum(len(line) for line in lines if set(line) == {mark})


@pytest.mark.parametrize(
    ("way", "mark"),
    [("lines", "a"), ("one_line", "b"), ("raw_stdout", "c"), ("stderr", "d"), ("child", "e"), ("logging", "f")],
)
def test_a_megabyte_of_output_is_logged_whole(daemon: RunningDaemon, way: str, mark: str) -> None:
    answer = misbehave(daemon, "writes", f"way={way}&mark={mark}")
    assert (answer.status, answer.body) == (200, b"written")
    daemon.wait_for_log(f"<end of {mark}>")
    if way != "logging":
        assert written(daemon, mark) == 100 * 10_240
    assert fine(daemon, "writes") != fine(daemon)


def test_a_flood_of_stderr_delays_nobody_for_long(daemon: RunningDaemon) -> None:
    with Client(daemon.url) as client:
        client.send(plain("/e/writes/?way=flood&mark=g"))
        daemon.wait_for_log("g" * 100)
        for _ in range(10):
            fine(daemon)
            fine(daemon, "writes")
        assert client.read().status == 200
    daemon.wait_for_log("<end of g>")


@pytest.mark.parametrize("level", [-1, 0, 1, 15, 25, 60, 10**18])
def test_a_log_record_of_any_level_is_taken(daemon: RunningDaemon, level: int) -> None:
    """Levels of a plugin's own are allowed in `logging`, and are no reason for the host to stumble."""
    before = fine(daemon, "writes")
    assert misbehave(daemon, "writes", f"way=level&level={level}").status == 200
    assert fine(daemon, "writes") == before


def test_bytes_that_are_no_text_are_logged_somehow(daemon: RunningDaemon) -> None:
    assert misbehave(daemon, "writes", "way=binary").status == 200
    daemon.wait_for_log("<end of binary>")
    fine(daemon, "writes")
