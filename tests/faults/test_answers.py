"""What a plugin returns and no client can be sent: an honest 500, from a worker that goes on."""

import pytest

from endpointd.testing import RunningDaemon
from faults.conftest import Serve
from support.catalogue import fine, misbehave
from support.eventually import eventually
from support.raw_http import Answer, Broken

WRONG_TYPES = ("none", "dict", "str", "tuple", "class", "coroutine")
WRONG_STATUSES = ("status_99", "status_101", "status_600", "status_1000", "status_negative", "status_huge")
WRONG_HEADERS = (
    *("newline_in_name", "nul_in_value", "space_in_name", "colon_in_name", "empty_name", "chinese_name"),
    *("two_lengths", "no_length"),
)
TOO_MUCH = ("huge_header", "huge_headers", "millions_of_headers")
EXCEPTIONS = (
    *("exception", "base_exception", "generator_exit", "stop_iteration", "recursion", "memory"),
    *("newline_in_value", "unfinished"),
)


@pytest.fixture(scope="module")
def daemon(serve_for_module: Serve) -> RunningDaemon:
    return serve_for_module("answers")


def ask_for(daemon: RunningDaemon, way: str) -> Answer:
    """What the plugin answers; the worker and the others are as before."""
    bystander, worker = fine(daemon), fine(daemon, "answers")
    answer = misbehave(daemon, "answers", f"way={way}")
    assert (fine(daemon), fine(daemon, "answers")) == (bystander, worker)
    return answer


@pytest.mark.parametrize("way", [*WRONG_TYPES, *WRONG_STATUSES, *WRONG_HEADERS, *TOO_MUCH])
def test_an_answer_that_cannot_be_sent(daemon: RunningDaemon, way: str) -> None:
    answer = ask_for(daemon, way)
    assert (answer.status, answer.code) == (500, "bad_answer")
    assert answer.json().keys() == {"type", "title", "status", "detail", "code", "plugin", "request_id"}
    assert not answer.all("set-cookie")


@pytest.mark.parametrize("way", EXCEPTIONS)
def test_an_exception_of_any_kind(daemon: RunningDaemon, way: str) -> None:
    answer = ask_for(daemon, way)
    assert (answer.status, answer.code) == (500, "plugin_exception")
    assert b"secret" not in answer.body


@pytest.mark.parametrize("way", ["yields_dict", "yields_none", "yields_response"])
def test_a_chunk_of_a_wrong_type(daemon: RunningDaemon, way: str) -> None:
    """The head may have left before the first chunk was made; then the answer is broken off."""
    try:
        answer = ask_for(daemon, way)
    except Broken:
        fine(daemon, "answers")
    else:
        assert (answer.status, answer.code) == (500, "bad_answer")
    daemon.wait_for_log("the response's body yielded a")


@pytest.mark.parametrize("way", ["yields_nothing", "yields_empty"])
def test_a_body_without_a_byte_is_an_empty_body(daemon: RunningDaemon, way: str) -> None:
    answer = ask_for(daemon, way)
    assert (answer.status, answer.body) == (200, b"")


def test_ten_thousand_headers_are_relayed(daemon: RunningDaemon) -> None:
    answer = ask_for(daemon, "many_headers")
    names = [name for name, _ in answer.headers if name.startswith(b"x-")]
    assert names == [b"x-%d" % number for number in range(10_000)]


def test_a_callback_that_fails_when_all_is_sent_is_logged(daemon: RunningDaemon) -> None:
    """Whether the client has the whole answer by then is chance; what it has is never wrong."""
    try:
        answer = ask_for(daemon, "failing_close")
    except Broken:
        fine(daemon, "answers")
    else:
        assert answer.status == 500 or answer.body == b"body"
    daemon.wait_for_log("ZeroDivisionError")


@pytest.mark.parametrize(
    ("way", "words"),
    [
        ("str", "_invoke returned a str; return werkzeug.Response(...) with it instead"),
        ("none", "_invoke returned None (no return statement?)"),
        ("dict", "_invoke returned a dict; return a werkzeug.Response"),
        ("coroutine", "make it, and what decorates it, an 'async def'"),
        ("huge_header", "the response's headers have"),
    ],
)
def test_the_log_tells_the_author_what_to_do(daemon: RunningDaemon, way: str, words: str) -> None:
    answer = misbehave(daemon, "answers", f"way={way}")
    request = answer.json()["request_id"]

    def is_told() -> bool:
        """What a plugin says is logged in its turn, which may come after the answer."""
        logged = [event for event in daemon.events() if event["event"] == "plugin.log"]
        return any(words in event["text"] for event in logged if event["request"] == request)

    eventually(is_told)
