"""What clients and operators hear of a plugin's failure: the ones nothing of its inside, the others everything."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from endpointd.testing import DaemonStarter, RunningDaemon
from support.gates import Gate
from support.raw_http import Answer, Broken, Client, ask, plain

SECRET = "swordfish-1f0a"


@pytest.fixture(scope="module")
def developing(start: DaemonStarter, plugins: Path) -> RunningDaemon:
    return start(plugins, development=True)


def fail(daemon: RunningDaemon, name: str, *headers: str, body: bytes = b"") -> Answer:
    return ask(daemon.url, f"/e/lab/failure/{name}", *headers, method="POST", body=body)


def everything(answer: Answer) -> bytes:
    return repr((answer.reason, answer.headers)).encode() + answer.body


def logged(daemon: RunningDaemon, request_id: str) -> dict[str, Any]:
    """The event in which the plugin's own words about a request are logged."""
    daemon.wait_for_log(f'"request": "{request_id}"')
    found = [each for each in daemon.events() if each.get("request") == request_id and each["event"] == "plugin.log"]
    assert len(found) == 1
    return found[0]


# Exceptions


@pytest.mark.parametrize("name", [f"exception?secret={SECRET}", "system-exit"])
def test_an_exception_is_told_to_the_operator_alone(daemon: RunningDaemon, name: str) -> None:
    answer = fail(daemon, name)
    assert (answer.status, answer.code) == (500, "plugin_exception")
    assert answer.json()["plugin"] == "test/lab"
    for word in (SECRET, "Secret", "Exit", "Traceback", "failures", ".py"):
        assert word.encode() not in everything(answer)


def test_the_request_id_leads_to_the_traceback(daemon: RunningDaemon) -> None:
    answer = fail(daemon, f"exception?secret={SECRET}")
    event = logged(daemon, answer.json()["request_id"])
    assert event["level"] == "error"
    assert event["plugin"] == "test/lab"
    assert "POST /failure/exception failed" in event["text"]
    assert "Traceback" in event["text"]
    assert f"SecretError: the secret is {SECRET}" in event["text"]


def test_in_development_the_traceback_is_in_the_answer(developing: RunningDaemon) -> None:
    answer = fail(developing, f"exception?secret={SECRET}")
    assert (answer.status, answer.code) == (500, "plugin_exception")
    assert "raise SecretError" in answer.json()["traceback"]
    assert SECRET in answer.json()["traceback"]


def test_in_development_a_wrong_answer_is_explained_in_the_answer(developing: RunningDaemon) -> None:
    assert "return werkzeug.Response" in fail(developing, "str").json()["traceback"]


def test_an_exception_before_the_first_piece_is_never_an_empty_answer(daemon: RunningDaemon) -> None:
    """Whether the head has left by then is a matter of time."""
    for _ in range(10):
        try:
            answer = fail(daemon, "exception-in-body")
        except Broken:
            continue
        assert (answer.status, answer.code) == (500, "plugin_exception")


def test_the_plugin_goes_on_after_an_exception(daemon: RunningDaemon) -> None:
    with Client(daemon.url) as client:
        for name in ("exception", "system-exit"):
            assert client.request(f"/e/lab/failure/{name}").status == 500
        assert client.request("/e/lab/saw").status == 200
    assert not [event for event in daemon.events() if event["event"] in ("worker.failed", "worker.hung")]


# Answers that are none

RETURNED = {
    "str": "return werkzeug.Response(...) with it",
    "bytes": "return werkzeug.Response(...) with it",
    "none": "return a werkzeug.Response",
    "dict": "return a werkzeug.Response",
    "tuple": "return a werkzeug.Response",
    "coroutine": "and is no 'async def'",
}


@pytest.mark.parametrize("name", RETURNED)
def test_what_is_no_response_is_an_error_whose_log_says_what_to_return(daemon: RunningDaemon, name: str) -> None:
    answer = fail(daemon, name)
    assert (answer.status, answer.code) == (500, "bad_answer")
    assert b"words" not in everything(answer)
    event = logged(daemon, answer.json()["request_id"])
    assert f"POST /failure/{name}: _invoke returned" in event["text"]
    assert RETURNED[name] in event["text"]


def test_a_piece_that_is_no_text_is_never_sent(daemon: RunningDaemon) -> None:
    for _ in range(10):
        try:
            answer = fail(daemon, "yields-dict")
        except Broken:
            continue
        assert (answer.status, answer.code) == (500, "bad_answer")
    daemon.wait_for_log("the response's body yielded a dict; yield str or bytes instead")


# What werkzeug says itself


def test_an_http_exception_is_its_own_answer(daemon: RunningDaemon) -> None:
    refused, missing = fail(daemon, "abort"), fail(daemon, "not-found")
    assert (refused.status, missing.status) == (403, 404)
    assert b"there is no such cat" in missing.body
    assert (missing.one("content-type") or "").startswith("text/html")


def test_a_bad_request_is_its_own_answer(daemon: RunningDaemon) -> None:
    assert fail(daemon, "bad-json", "Content-Type: application/json", body=b"{").status == 400
    assert fail(daemon, "bad-json", body=b"{}").status == 415
    assert fail(daemon, "bad-key").status == 400


def test_an_exceptions_own_response_is_the_answer(daemon: RunningDaemon) -> None:
    answer = fail(daemon, "own-response")
    assert (answer.status, answer.one("x-own"), answer.body) == (418, "yes", b"own words")


def test_an_http_exception_is_no_error_of_the_plugin(daemon: RunningDaemon) -> None:
    before = len(daemon.events())
    for name in ("abort", "not-found", "own-response"):
        fail(daemon, name)
    # What is logged for the one that follows is logged behind what was logged for those.
    daemon.wait_for_log(fail(daemon, "none").json()["request_id"])
    assert not [event for event in daemon.events()[before:] if "Exception" in str(event) or "abort" in str(event)]


# In the middle


def test_a_failure_behind_the_head_is_logged_and_breaks_the_connection(
    daemon: RunningDaemon, make_gate: Callable[[str], Gate]
) -> None:
    gate = make_gate("gate")
    with Client(daemon.url) as client:
        client.send(plain(f"/e/lab/stream/failing?gate={gate.path}"))
        pieces = client.pieces(client.read_head())
        # Only what has left can be broken; before that the failure would be an answer.
        assert next(pieces) == b"first"
        gate.open()
        with pytest.raises(Broken):
            next(pieces)
    failed = json.loads(daemon.wait_for_log("the secret of the stream"))
    told = daemon.wait_for_log(f'"request": "{failed["request"]}", "interface": "GET /stream/<name>"')
    assert '"event": "response.aborted"' in told
