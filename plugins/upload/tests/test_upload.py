"""Uploads through a real daemon: as a stream, while it arrives, and as a form."""

import hashlib
import http.client
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from endpointd.testing import DaemonStarter, RunningDaemon

FOLDER = Path(__file__).parents[1]
MIB = 1024 * 1024
# Of no period that pieces or reports have, so that a piece that is lost, doubled or swapped changes the hash.
BODY = b"".join(hashlib.sha256(number.to_bytes(4)).digest() * 3 for number in range(10 * MIB // 96)) + b"the end"


@pytest.fixture(scope="module")
def daemon(start_daemon_for_module: DaemonStarter) -> RunningDaemon:
    return start_daemon_for_module.one(FOLDER)


@pytest.fixture
def upload(daemon: RunningDaemon) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{daemon.url}/e/upload/", timeout=20, trust_env=False) as client:
        yield client


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


def check_reports(text: str, body: bytes) -> None:
    """Each line tells the truth about as much as had come, and the last one about all."""
    *partial, last = (json.loads(line) for line in text.splitlines())
    assert last == {"received": len(body), "sha256": sha256(body), "complete": True}
    assert len(partial) == len(body) // (4 * MIB)
    for line in partial:
        assert line == {**line, "sha256": sha256(body[: line["received"]]), "complete": False}


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_reports_size_and_hash(upload: httpx.Client, method: str) -> None:
    answer = upload.request(method, "upload", content=BODY)
    assert answer.headers["content-type"] == "application/x-ndjson"
    check_reports(answer.text, BODY)


def test_takes_a_body_of_unknown_length(upload: httpx.Client) -> None:
    answer = upload.post("upload", content=pieces(BODY, 70_001))
    assert answer.request.headers["transfer-encoding"] == "chunked"
    check_reports(answer.text, BODY)


def test_an_empty_body_is_empty(upload: httpx.Client) -> None:
    check_reports(upload.put("upload", content=b"").text, b"")


def test_reports_while_the_body_arrives(daemon: RunningDaemon) -> None:
    """Each part of the body is only sent when the report on the part before it has been read."""
    with closing(http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=10)) as connection:
        connection.putrequest("PUT", "/e/upload/upload")
        connection.putheader("Content-Length", str(len(BODY)))
        connection.endheaders(BODY[: 5 * MIB])
        answer = connection.getresponse()
        first: dict[str, Any] = json.loads(answer.readline())
        assert first["received"] <= 5 * MIB
        assert first["sha256"] == sha256(BODY[: first["received"]])

        connection.send(BODY[5 * MIB : 9 * MIB])
        second: dict[str, Any] = json.loads(answer.readline())
        assert first["received"] < second["received"] <= 9 * MIB
        assert second["sha256"] == sha256(BODY[: second["received"]])

        connection.send(BODY[9 * MIB :])
        assert json.loads(answer.read()) == {"received": len(BODY), "sha256": sha256(BODY), "complete": True}


def test_form_shows_fields_and_files_with_their_repeats(upload: httpx.Client) -> None:
    files = [
        ("file", ("naïve.txt", b"one", "text/plain")),
        ("file", ("empty.bin", b"", "application/octet-stream")),
        ("large", ("large.bin", BODY[: 2 * MIB], "application/octet-stream")),
    ]
    answer = upload.post("form", data={"note": ["hello", "ありがとう"]}, files=files).json()
    assert answer["fields"] == [{"field": "note", "value": "hello"}, {"field": "note", "value": "ありがとう"}]
    assert answer["files"] == [
        {"field": field, "filename": name, "content_type": kind, "size": len(content), "sha256": sha256(content)}
        for field, (name, content, kind) in files
    ]


def test_page_sends_to_the_routes_there_are(upload: httpx.Client) -> None:
    page = upload.get("")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert 'action="form" method="post" enctype="multipart/form-data"' in page.text
    assert 'request.open("PUT", "upload")' in page.text


def test_upload_has_two_methods(upload: httpx.Client) -> None:
    refused = upload.get("upload")
    assert refused.status_code == 405
    assert {method.strip() for method in refused.headers["allow"].split(",")} == {"POST", "PUT"}
