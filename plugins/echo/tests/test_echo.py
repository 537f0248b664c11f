"""The echo through a real daemon: what a plugin is told about each part of a request."""

import hashlib
import http.client
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from endpointd.testing import DaemonStarter, PluginLoader, RunningDaemon

FOLDER = Path(__file__).parents[1]
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def daemon(start_daemon_for_module: DaemonStarter) -> RunningDaemon:
    return start_daemon_for_module.one(FOLDER)


@pytest.fixture
def echo(daemon: RunningDaemon) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{daemon.url}/e/echo/", timeout=10, trust_env=False) as client:
        yield client


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def ask(daemon: RunningDaemon, target: str, headers: list[tuple[str, str]]) -> dict[str, Any]:
    """The answer to a GET whose target and headers go out as they are: clients would tidy them up."""
    with closing(http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=10)) as connection:
        connection.putrequest("GET", target, skip_host=True, skip_accept_encoding=True)
        for name, value in headers:
            connection.putheader(name, value)
        connection.endheaders()
        answer: dict[str, Any] = json.loads(connection.getresponse().read())
    return answer


def test_six_methods_answer_on_every_path(echo: httpx.Client) -> None:
    for path in ("", "a/b"):
        for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS"):
            assert echo.request(method, path).json()["method"] == method
        head = echo.head(path)
        assert (head.status_code, head.content) == (200, b"")
        assert echo.patch(path).status_code == 405


def test_address_is_there_as_it_came_and_decoded(daemon: RunningDaemon) -> None:
    target = "/e/echo/a%2Fb/%C3%A9?x=1&x=2&flag&y=%20+"
    answer = ask(daemon, target, [("Host", "example.test:81")])
    assert answer["url"].pop("full").startswith("http://example.test:81/e/echo/a/b/")
    assert answer["url"] == {
        "raw": target,
        "scheme": "http",
        "host": "example.test:81",
        "script_root": "/e/echo",
        "path": "/a/b/é",
    }
    assert answer["query"] == {
        "raw": "x=1&x=2&flag&y=%20+",
        "parsed": [["x", "1"], ["x", "2"], ["flag", ""], ["y", "  "]],
    }
    assert answer["endpoint"]["values"] == {"rest": "a/b/é"}
    assert answer["client"] == {"remote_addr": "127.0.0.1", "protocol": "HTTP/1.1"}


def test_headers_keep_their_order_and_repeats(daemon: RunningDaemon) -> None:
    sent = [("X-Twice", "one"), ("Host", "example.test"), ("Accept", "*/*"), ("X-Twice", "two"), ("X-Empty", "")]
    answer = ask(daemon, "/e/echo/", [*sent, ("Cookie", "sid=abc; theme=dark; sid=def")])
    received = [(name, value) for name, value in answer["headers"] if not name.startswith("Dify-")]
    assert received[: len(sent)] == sent
    assert answer["cookies"] == [["sid", "abc"], ["sid", "def"], ["theme", "dark"]]


def test_endpoint_is_named_by_the_daemon_and_not_by_the_client(daemon: RunningDaemon, echo: httpx.Client) -> None:
    forged = {"Dify-Hook-Id": "forged", "Dify-Hook-Url": "http://forged.test/"}
    answer = echo.get("", headers=forged).json()
    assert answer["endpoint"]["hook_id"] == "echo"
    assert answer["endpoint"]["hook_url"].startswith(f"{daemon.url}/e/echo")
    assert "forged" not in json.dumps(answer)


def test_settings_have_their_defaults(echo: httpx.Client) -> None:
    answer = echo.get("")
    assert answer.json()["endpoint"]["settings"] == {"pretty": True, "note": ""}
    assert answer.text.startswith('{\n  "method": "GET"')


def test_settings_that_are_given_are_shown(load_plugin: PluginLoader) -> None:
    answer = load_plugin(settings={"pretty": False, "note": "hello"}).get("/")
    assert answer.get_json()["endpoint"]["settings"] == {"pretty": False, "note": "hello"}
    assert answer.text.count("\n") == 1


def test_body_of_any_bytes(echo: httpx.Client) -> None:
    body = bytes(range(256)) * 10
    described = echo.put("", content=body, headers={"Content-Type": "application/octet-stream"}).json()["body"]
    preview = described.pop("preview")
    assert described == {
        "content_type": "application/octet-stream",
        "content_length": 2560,
        "size": 2560,
        "sha256": sha256(body),
    }
    assert preview == body.decode("utf-8", errors="replace")[:1000]


def test_body_of_unknown_length(echo: httpx.Client) -> None:
    described = echo.post("", content=iter([b"un", b"known"])).json()["body"]
    assert described["content_length"] is None
    assert (described["size"], described["preview"]) == (7, "unknown")


def test_empty_body_stays_empty(echo: httpx.Client) -> None:
    described = echo.post("").json()["body"]
    assert (described["size"], described["preview"], described["sha256"]) == (0, "", sha256(b""))


def test_form_fields(echo: httpx.Client) -> None:
    answer = echo.post("", data={"name": ["Ada", "猫"], "empty": ""}).json()
    assert answer["form"] == [["name", "Ada"], ["name", "猫"], ["empty", ""]]
    assert answer["body"]["preview"] == "name=Ada&name=%E7%8C%AB&empty="


def test_uploaded_files(echo: httpx.Client) -> None:
    answer = echo.post("", data={"note": "hello"}, files={"file": ("a.bin", b"\x00\xff", "image/x-test")}).json()
    assert answer["form"] == [["note", "hello"]]
    assert answer["files"] == [
        {
            "field": "file",
            "filename": "a.bin",
            "content_type": "image/x-test",
            "size": 2,
            "sha256": sha256(b"\x00\xff"),
        }
    ]


def test_a_body_too_large_to_show_is_refused(echo: httpx.Client) -> None:
    largest = bytes(16 * MIB - 1)
    assert echo.post("", content=largest).json()["body"]["size"] == len(largest)
    assert echo.post("", content=largest + b"!").status_code == 413
    assert echo.post("", content=(bytes(MIB) for _ in range(17))).status_code == 413
