"""The host's own errors, as their readers get them."""

import json
from http import HTTPStatus

import pytest

from endpointd.gateway.problems import Problem, redirect, retry_after


def test_a_problem_is_a_document_of_rfc_9457() -> None:
    headers, body = Problem(503, "queue_full", "too many", "someone/duck").response("r-7")
    assert json.loads(body) == {
        "type": "urn:endpointd:problem:queue_full",
        "title": "Service Unavailable",
        "status": 503,
        "detail": "too many",
        "code": "queue_full",
        "plugin": "someone/duck",
        "request_id": "r-7",
    }
    assert dict(headers) == {
        b"content-type": b"application/problem+json",
        b"content-length": str(len(body)).encode(),
        b"cache-control": b"no-store",
    }


def test_what_is_not_known_is_left_out() -> None:
    assert not {"plugin", "request_id"} & set(json.loads(Problem(404, "path_unknown", "nothing").document("")))


def test_more_headers_and_fields_are_added() -> None:
    problem = Problem(405, "method_not_allowed", "no", headers=((b"allow", b"GET"),), extra={"traceback": "é"})
    headers, body = problem.response("r-1")
    assert headers[-1] == (b"allow", b"GET")
    assert json.loads(body)["traceback"] == "é"


@pytest.mark.parametrize("status", [400, 404, 405, 408, 413, 414, 431, 500, 502, 503, 504])
def test_every_status_has_its_title(status: int) -> None:
    assert json.loads(Problem(status, "code", "detail").document(""))["title"] == HTTPStatus(status).phrase


def test_a_problem_can_be_raised_and_is_equal_to_itself_alone() -> None:
    problem = Problem(404, "code", "detail")
    with pytest.raises(Problem) as raised:
        raise problem
    assert raised.value is problem
    assert problem != Problem(404, "code", "detail")


def test_when_to_come_again() -> None:
    assert retry_after(7) == ((b"retry-after", b"7"),)
    assert retry_after(None) == ()


def test_a_redirect_has_no_body() -> None:
    assert redirect("/e/duck/\xe9") == [(b"location", b"/e/duck/\xe9"), (b"content-length", b"0")]
