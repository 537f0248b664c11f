"""The API over the real socket: documents, actions, uploads, errors."""

import json
import os
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from endpointd import __version__
from endpointd.admin import uploads
from endpointd.admin.documents import DaemonStatus, read
from endpointd.errors import OperatorError, UsageError
from endpointd.logs.journal import Entry
from endpointd.plugins.status import PluginStatus
from support.fake_control import BROKEN, NEKO, REFUSED, AdminHost, FakeControl

TAR = {"Content-Type": "application/x-tar"}


def plain(value: object) -> object:
    return json.loads(json.dumps(value))


# Reading


def test_every_folder_is_told_of_in_full(http: httpx.Client) -> None:
    found = http.get("/api/v1/plugins").json()
    assert found == [plain(status.as_dict()) for status in (NEKO, BROKEN, REFUSED)]
    assert [read(PluginStatus, document) for document in found] == [NEKO, BROKEN, REFUSED]


def test_one_plugin_is_told_of_by_author_and_name(http: httpx.Client, control: FakeControl) -> None:
    assert http.get("/api/v1/plugins/acme/neko").json() == plain(NEKO.as_dict())
    control.plugins["lonely"] = replace(NEKO, id="lonely")
    assert http.get("/api/v1/plugins/~/lonely").json()["id"] == "lonely"


def test_the_daemon_tells_of_itself(http: httpx.Client, host: AdminHost) -> None:
    answer = http.get("/api/v1/daemon")
    daemon = read(DaemonStatus, answer.json())
    assert (daemon.version, daemon.pid, daemon.base_url) == (__version__, os.getpid(), "http://127.0.0.1:8080")
    assert (daemon.state_directory, daemon.plugins_directory) == (str(host.state), str(host.plugins))
    assert daemon.plugins == {"RUNNING": 1, "FATAL": 1, "REFUSED": 1}
    assert answer.headers["Endpointd-Version"] == __version__


def test_a_folder_whose_name_is_no_text_can_be_told_of(http: httpx.Client, control: FakeControl) -> None:
    control.plugins["odd"] = replace(NEKO, folder="caf\udce9")
    assert http.get("/api/v1/plugins").json()[-1]["folder"] == "caf\udce9"


def test_the_description_names_every_path_and_has_the_fields_of_a_status(http: httpx.Client) -> None:
    described = http.get("/api/v1/openapi.json").json()
    plugin = "/api/v1/plugins/{author}/{name}"
    actions = {f"{plugin}/{action}" for action in ("start", "stop", "restart", "rollback", "log")}
    daemon = {"/api/v1/daemon", "/api/v1/daemon/reload", "/api/v1/daemon/log-level"}
    assert set(described["paths"]) == daemon | {"/api/v1/plugins", plugin} | actions
    assert list(described["components"]["schemas"]["PluginStatus"]["properties"]) == list(NEKO.as_dict())
    operations = [one for path in described["paths"].values() for one in path.values()]
    assert all(one["summary"] for one in operations)
    assert len({one["operationId"] for one in operations}) == len(operations)


# Acting


@pytest.mark.parametrize(("action", "state"), [("start", "RUNNING"), ("stop", "STOPPED"), ("restart", "RUNNING")])
def test_an_action_answers_with_what_the_plugin_is_then(
    http: httpx.Client, control: FakeControl, action: str, state: str
) -> None:
    answer = http.post(f"/api/v1/plugins/acme/neko/{action}")
    assert (answer.status_code, answer.json()["state"]) == (200, state)
    assert control.calls == [(action, "acme/neko")]


@pytest.mark.parametrize(("wanted", "release"), [(None, "sha-old"), ("sha-older", "sha-older")])
def test_a_rollback_names_the_release(
    http: httpx.Client, control: FakeControl, wanted: str | None, release: str
) -> None:
    answer = http.post("/api/v1/plugins/acme/neko/rollback", json={"release": wanted})
    assert answer.json()["release"] == release
    assert control.calls == [("rollback", "acme/neko", release)]


def test_an_uninstalled_plugin_is_gone(http: httpx.Client, control: FakeControl) -> None:
    answer = http.delete("/api/v1/plugins/acme/neko")
    assert (answer.status_code, answer.content) == (204, b"")
    assert "acme/neko" not in control.plugins


# Installing


@pytest.mark.parametrize("size", [0, 10, 3 * 1024 * 1024])
@pytest.mark.parametrize("replacing", [True, False])
def test_an_archive_arrives_whole(http: httpx.Client, control: FakeControl, size: int, replacing: bool) -> None:
    archive = os.urandom(size)
    query = {"replace": str(replacing).lower()}
    answer = http.post("/api/v1/plugins", params=query, content=iter([archive[:5], archive[5:]]), headers=TAR)
    assert (answer.status_code, answer.json()["id"]) == (201, "acme/neko")
    assert control.archive == archive
    assert control.calls == [("install", "acme/neko", replacing)]


def test_a_package_arrives_whole(http: httpx.Client, control: FakeControl) -> None:
    control.warnings = ("nobody vouches for it",)
    answer = http.post("/api/v1/plugins", content=b"PK", headers={"Content-Type": "application/zip"})
    document = answer.json()
    assert (answer.status_code, document["id"], control.archive) == (201, "acme/neko", b"PK")
    assert (document["package"], document["warnings"]) == ("acme/neko:1.2.0@0123", ["nobody vouches for it"])
    assert control.calls == [("install package", "acme/neko", False)]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Archives may have 1000 bytes, and no pause at all."""
    ordinary = uploads.Uploads.__init__

    def init(self: uploads.Uploads, directory: Path, limit_package: Callable[[], int]) -> None:
        ordinary(self, directory, limit_package, 1000, 0.05)

    monkeypatch.setattr(uploads.Uploads, "__init__", init)


@pytest.mark.parametrize("announced", [True, False])
@pytest.mark.usefixtures("small")
def test_an_archive_that_is_too_large_is_refused(http: httpx.Client, control: FakeControl, announced: bool) -> None:
    content = bytes(20_000_000) if announced else (bytes(1001) for _ in range(20_000))
    answer = http.post("/api/v1/plugins", content=content, headers=TAR)
    assert (answer.status_code, answer.json()["code"]) == (413, "archive_too_large")
    assert control.calls == []


@pytest.mark.usefixtures("small")
def test_an_archive_that_does_not_go_on_is_given_up(host: AdminHost) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        client.connect(str(host.state / "endpointd.sock"))
        client.sendall(
            b"POST /api/v1/plugins HTTP/1.1\r\nHost: x\r\n"
            b"Content-Type: application/x-tar\r\nContent-Length: 9\r\n\r\nabc"
        )
        answer = b"".join(iter(lambda: client.recv(4096), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert json.loads(body)["code"] == "archive_stalled"
    assert b"\r\nconnection: close" in head.lower()


def test_an_archive_of_a_client_that_leaves_is_not_installed(http: httpx.Client, control: FakeControl) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"abc"
        raise RuntimeError("left")

    with pytest.raises(RuntimeError, match="left"):
        http.post("/api/v1/plugins", content=pieces(), headers=TAR)
    assert http.get("/api/v1/daemon").status_code == 200
    assert control.calls == []


def test_anything_but_a_tar_archive_is_refused(http: httpx.Client, control: FakeControl) -> None:
    answer = http.post("/api/v1/plugins", json={})
    assert (answer.status_code, answer.json()["code"]) == (415, "archive_type")
    assert control.calls == []


def test_what_was_received_leaves_nothing_behind(http: httpx.Client, host: AdminHost) -> None:
    before = set(host.state.iterdir())
    http.post("/api/v1/plugins", content=bytes(3 * 1024 * 1024), headers=TAR)
    assert set(host.state.iterdir()) == before


# Errors


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (OperatorError("plugin_failed", "it could not", "see its log"), 409),
        (UsageError("plugin_exists", "it is there", "use --replace"), 400),
    ],
)
def test_what_could_not_be_done_is_a_problem_with_a_remedy(
    http: httpx.Client, control: FakeControl, error: OperatorError, status: int
) -> None:
    control.failure = error
    answer = http.post("/api/v1/plugins/acme/neko/restart")
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    told = answer.json()
    assert told["type"] == f"urn:endpointd:problem:{error.code}"
    assert (told["code"], told["detail"], told["remedy"]) == (error.code, error.message, error.remedy)
    assert told["status"] == status


def test_a_defect_is_told_without_its_words(
    http: httpx.Client, host: AdminHost, control: FakeControl, caplog: pytest.LogCaptureFixture
) -> None:
    control.failure = RuntimeError("a secret")
    answer = http.post("/api/v1/plugins/acme/neko/restart")
    assert (answer.status_code, answer.json()["code"]) == (500, "daemon_defect")
    assert "a secret" not in answer.text
    # It is logged when the answer has left.
    http.close()
    host.stop()
    assert "a secret" in caplog.text


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "/api/v1/plugins/acme/nekko", None, 404, "plugin_unknown"),
        ("GET", "/api/v1/plugins/acme/nekko/log", None, 404, "plugin_unknown"),
        ("POST", "/api/v1/plugins/acme/nekko/start", None, 404, "plugin_unknown"),
        ("GET", "/api/v2/plugins", None, 404, "api_unknown"),
        ("PUT", "/api/v1/plugins", None, 405, "api_unknown"),
        ("POST", "/api/v1/plugins/acme/neko/explode", None, 404, "api_unknown"),
        ("POST", "/api/v1/plugins/acme/neko/rollback", {"release": None, "x": 1}, 422, "request_invalid"),
        ("POST", "/api/v1/plugins/acme/neko/rollback", {"release": ""}, 422, "request_invalid"),
        ("POST", "/api/v1/plugins/acme/neko/rollback", None, 422, "request_invalid"),
        ("GET", "/api/v1/plugins/acme/neko/log?lines=-1", None, 422, "request_invalid"),
        ("GET", "/api/v1/plugins/acme/neko/log?line=1", None, 422, "request_invalid"),
        ("POST", "/api/v1/plugins?replce=true", None, 422, "request_invalid"),
    ],
)
def test_what_is_wrongly_asked_is_a_problem(
    http: httpx.Client, control: FakeControl, method: str, path: str, body: object, status: int, code: str
) -> None:
    answer = http.request(method, path, json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json()["remedy"]
    assert control.calls == []


# The log


def test_the_newest_lines_are_a_json_object_each(http: httpx.Client, control: FakeControl) -> None:
    journal = control.journals["acme/neko"]
    for number in range(5):
        journal.append("output", f"line {number}")
    answer = http.get("/api/v1/plugins/acme/neko/log", params={"lines": 2})
    assert answer.headers["Content-Type"].partition(";")[0] == "application/x-ndjson"
    entries = [read(Entry, json.loads(line)) for line in answer.text.splitlines()]
    assert entries == journal.tail(2)


def test_following_goes_on_with_what_comes(http: httpx.Client, host: AdminHost, control: FakeControl) -> None:
    journal = control.journals["acme/neko"]
    journal.append("output", "before")
    with http.stream("GET", "/api/v1/plugins/acme/neko/log", params={"follow": "true"}) as answer:
        lines = answer.iter_lines()
        assert json.loads(next(lines))["text"] == "before"
        host.do(lambda: journal.append("log", "after", level="INFO"))
        assert json.loads(next(lines))["text"] == "after"


def test_a_follower_of_a_silent_plugin_has_its_head_at_once(http: httpx.Client) -> None:
    with http.stream("GET", "/api/v1/plugins/acme/neko/log", params={"follow": "true"}) as answer:
        assert answer.status_code == 200


def test_who_stops_following_is_forgotten(http: httpx.Client, host: AdminHost, control: FakeControl) -> None:
    journal = control.journals["acme/neko"]
    with http.stream("GET", "/api/v1/plugins/acme/neko/log", params={"follow": "true"}):
        pass
    for _ in range(1000):
        if host.do(lambda: journal.followers) == 0:
            return
        http.get("/api/v1/daemon")
    pytest.fail("the journal still has a follower")
