"""Methods and paths: which request reaches a plugin, and what the others are told."""

import pytest

from support.raw_http import Client, ask

METHODS = ("HEAD", "GET", "POST", "PUT", "DELETE", "OPTIONS")


@pytest.mark.parametrize("method", METHODS)
def test_each_method_is_routed_by_itself(url: str, method: str) -> None:
    answer = ask(url, "/e/lab/only/put", method=method)
    if method in ("PUT", "DELETE"):
        assert answer.json()["method"] == method
    else:
        assert (answer.status, answer.one("allow")) == (405, "DELETE, PUT")


@pytest.mark.parametrize("method", ["PATCH", "TRACE", "OPTIONS", "PROPFIND", "CONNECT"])
def test_a_method_that_no_interface_has_is_refused_with_those_that_there_are(url: str, method: str) -> None:
    answer = ask(url, "/e/lab/only/get", method=method)
    assert (answer.code, answer.status) == ("method_not_allowed", 405)
    assert answer.one("allow") == "GET, HEAD"
    assert answer.json()["plugin"] == "test/lab"


def test_head_is_answered_by_get_without_a_body(url: str) -> None:
    with Client(url) as client:
        head = client.request("/e/lab/only/get", method="HEAD")
        get = client.request("/e/lab/only/get")
    assert (head.status, head.body) == (200, b"")
    assert head.one("content-type") == get.one("content-type")


UNKNOWN = [
    ("/", "path_unknown", None),
    ("/favicon.ico", "path_unknown", None),
    ("/e", "path_unknown", None),
    ("/E/lab/saw", "path_unknown", None),
    ("/x/../e/lab/saw", "path_unknown", None),
    ("/%65/lab/saw", "path_unknown", None),
    ("/e/", "endpoint_unknown", None),
    ("/e//saw", "endpoint_unknown", None),
    ("/e/nobody/saw", "endpoint_unknown", None),
    ("/e/LAB/saw", "endpoint_unknown", None),
    ("/e/la%62/saw", "endpoint_unknown", None),
    ("/e/lab%2Fsaw", "endpoint_unknown", None),
    ("/e/../e/lab/saw", "endpoint_unknown", None),
    ("/e/lab/", "interface_unknown", "test/lab"),
    ("/e/lab/none", "interface_unknown", "test/lab"),
    ("/e/lab/only/get/", "interface_unknown", "test/lab"),
    ("/e/lab/Saw", "interface_unknown", "test/lab"),
]


@pytest.mark.parametrize(("target", "code", "plugin"), UNKNOWN)
def test_what_is_not_there_is_told_with_its_reason(url: str, target: str, code: str, plugin: str | None) -> None:
    answer = ask(url, target)
    assert (answer.status, answer.code) == (404, code)
    assert answer.json().get("plugin") == plugin
    assert answer.json()["request_id"]
    assert answer.one("cache-control") == "no-store"


def test_what_is_not_there_is_no_way_to_write_into_the_answer(url: str) -> None:
    answer = ask(url, '/e/%22%0d%0aX:"<script>/', method="POST")
    assert answer.code == "endpoint_unknown"
    assert answer.json()["detail"].isprintable()


def test_request_ids_of_problems_differ(url: str) -> None:
    ids = {ask(url, "/nowhere").json()["request_id"] for _ in range(5)}
    assert len(ids) == 5


def test_answers_of_the_host_are_dated(url: str) -> None:
    """RFC 9110 §6.6.1: a server with a clock dates what it answers."""
    for target in ("/nowhere", "/e/lab", "/e/lab/failure/exception", "/e/lab/saw"):
        assert ask(url, target).one("date") is not None
