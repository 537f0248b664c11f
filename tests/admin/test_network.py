"""The API over TCP: for who has a token alone, and with bounds for everybody else."""

import asyncio
import json
import select
import socket
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
from starlette.responses import PlainTextResponse

from endpointd.access.errors import TooManyFailures, expired, invalid
from endpointd.access.views import TokenView
from endpointd.admin import bodies, network
from endpointd.admin.gatekeeper import Gatekeeper
from endpointd.admin.server import AdminServer
from endpointd.errors import OperatorError
from endpointd.settings.settings import Settings
from endpointd.testing import DaemonStarter
from support.fake_control import NEKO, AdminHost, FakeControl

VIEW = TokenView("0" * 32, "ci", 1.0, None)
GOOD = {"Authorization": "Bearer good"}


class FakeTokens:
    """Knows the secrets "good", "old" and "again"; `seen` are those that were checked, and for whom."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []
        self.are_good = True

    async def create(self, name: str, *, days: int | None = None) -> tuple[TokenView, str]:
        raise NotImplementedError

    def list(self) -> Sequence[TokenView]:
        return [VIEW]

    async def revoke(self, token_id: str) -> None:
        raise NotImplementedError

    def is_good(self, token_id: str) -> bool:
        return self.are_good and token_id == VIEW.id

    def check(self, secret: str, client: str) -> TokenView:
        self.seen.append((secret, client))
        if secret == "again":
            raise TooManyFailures(17)
        if secret != "good":
            raise expired() if secret == "old" else invalid()
        return VIEW


@pytest.fixture
def tokens() -> FakeTokens:
    return FakeTokens()


Start = Callable[..., httpx.Client]


@pytest.fixture
def start(tmp_path: Path, tokens: FakeTokens) -> Iterator[Start]:
    """Starts a server on a free port of this machine, and gives a client of it."""
    begun: list[AdminHost | httpx.Client] = []

    def begin(control: FakeControl | None = None, **settings: object) -> httpx.Client:
        given: dict[str, Any] = {"admin_listen": "127.0.0.1:0"} | settings
        state = tmp_path / str(len(begun))
        state.mkdir()
        host = AdminHost(state, control or FakeControl(NEKO), tokens=tokens, **given)
        begun.append(host)
        with structlog.testing.capture_logs() as logged:
            host.__enter__()
            host.wait_until_served()
        [url] = [event["url"] for event in logged if event["event"] == "admin.listening"]
        client = httpx.Client(base_url=url, timeout=10)
        begun.append(client)
        return client

    yield begin
    for one in reversed(begun):
        one.__exit__(None, None, None)


def connected(http: httpx.Client) -> socket.socket:
    return socket.create_connection((http.base_url.host, http.base_url.port), timeout=10)


def everything(connection: socket.socket) -> bytes:
    """What comes until the other end closes."""
    return b"".join(iter(lambda: connection.recv(65536), b""))


# Who comes in


def test_with_a_token_all_is_as_on_the_socket(start: Start, tokens: FakeTokens) -> None:
    with start() as http:
        assert http.get("/api/v1/plugins", headers=GOOD).json()[0]["id"] == "acme/neko"
        assert http.post("/api/v1/plugins/acme/neko/stop", headers=GOOD).json()["state"] == "STOPPED"
        assert tokens.seen == [("good", "127.0.0.1")] * 2


@pytest.mark.parametrize(
    "path", ["/", "/api", "/api/v1/plugins", "/api/v1/openapi.json", "/api/v1/none", "//api/v1/plugins", "/%61pi/v1/x"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "HEAD", "OPTIONS", "DELETE"])
def test_without_a_token_nothing_is_told(start: Start, method: str, path: str) -> None:
    with start() as http:
        answer = http.request(method, path)
        assert answer.status_code == 401
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["www-authenticate"] == 'Bearer realm="endpointd"'
        assert "endpointd-version" not in answer.headers
        if method != "HEAD":
            assert answer.json()["code"] == "token_missing"


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("Bearer wrong", "token_invalid"),
        ("bearer old", "token_expired"),
        ("Bearer", "token_missing"),
        ("Basic good", "token_missing"),
        ("good", "token_missing"),
        ("Bearer good good", "token_invalid"),
    ],
)
def test_what_is_no_good_token_is_refused_and_said_why(start: Start, value: str, code: str) -> None:
    with start() as http:
        answer = http.get("/api/v1/plugins", headers={"Authorization": value})
        assert (answer.status_code, answer.json()["code"]) == (401, code)
        is_shown = code != "token_missing"
        assert ('error="invalid_token"' in answer.headers["www-authenticate"]) == is_shown


def test_two_tokens_are_none(start: Start, tokens: FakeTokens) -> None:
    with start() as http:
        twice = [("Authorization", "Bearer good"), ("Authorization", "Bearer good")]
        assert http.get("/api/v1/plugins", headers=twice).json()["code"] == "token_missing"
        assert tokens.seen == []


def test_who_fails_too_often_is_told_when_to_come_again(start: Start) -> None:
    with start() as http:
        answer = http.get("/api/v1/plugins", headers={"Authorization": "Bearer again"})
        assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (
            429,
            "access_limited",
            "17",
        )


def test_a_trusted_proxy_names_the_client_and_nobody_else_does(start: Start, tokens: FakeTokens) -> None:
    forwarded = GOOD | {"X-Forwarded-For": "192.0.2.9"}
    with start() as http:
        http.get("/api/v1/plugins", headers=forwarded)
    with start(trusted_proxies="127.0.0.1") as http:
        http.get("/api/v1/plugins", headers=forwarded)
    assert [client for _, client in tokens.seen] == ["127.0.0.1", "192.0.2.9"]


def test_a_large_body_without_a_token_is_answered_and_not_kept(start: Start) -> None:
    with start() as http, connected(http) as stranger:
        stranger.sendall(b"POST /api/v1/plugins HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n" + b"x" * 65536)
        assert stranger.recv(65536).startswith(b"HTTP/1.1 401")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/", 200),
        ("/console", 200),
        ("/console/login", 200),
        ("/static/a.css", 200),
        ("/consoles", 401),
        ("/x", 401),
        ("/api", 401),
        ("/api/v1/plugins", 401),
    ],
)
def test_what_is_open_has_a_door_of_its_own(tokens: FakeTokens, path: str, status: int) -> None:
    gatekeeper = Gatekeeper(PlainTextResponse("in"), tokens, ["/", "/console", "/static/"])

    async def ask() -> int:
        transport = httpx.ASGITransport(gatekeeper)
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            return (await client.get(path)).status_code

    assert asyncio.run(ask()) == status


def test_what_would_open_the_api_cannot_be_open(tokens: FakeTokens) -> None:
    for path in ("/api", "/api/", "/api/v1", "/api/v1/tokens/", "", "//"):
        with pytest.raises(ValueError, match="never open"):
            Gatekeeper(_nothing, tokens, [path])


async def _nothing(*_: object) -> None:
    raise AssertionError("nobody may get here")


# Bounds


def test_heads_have_a_bound_and_a_clock(start: Start) -> None:
    with start(limit_header=4096, clock_header=0.3) as http:
        assert http.get("/", headers={"X-Long": "x" * 5000}).status_code == 431
        assert http.get("/" + "x" * 20_000).status_code == 414
        with connected(http) as slow:
            slow.sendall(b"GET /api/v1/plugins HTTP/1.1\r\nHost: x\r\nAuthor")
            assert everything(slow).startswith(b"HTTP/1.1 408")
        with connected(http) as silent:
            assert everything(silent) == b""


def test_connections_are_bounded_and_free_again(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "CONNECTIONS", 3)
    with start() as http:
        held = [connected(http) for _ in range(3)]
        with connected(http) as one_more:
            assert b'"code": "connections_exhausted"' in everything(one_more)
        for connection in held:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert everything(connection).startswith(b"HTTP/1.1 401")
            connection.close()
        assert http.get("/api/v1/daemon", headers=GOOD).status_code == 200


def test_bodies_have_a_bound_and_a_clock(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "MOST", 1000)
    monkeypatch.setattr(bodies, "PATIENCE", 0.3)
    path = "/api/v1/plugins/acme/neko/rollback"
    typed = GOOD | {"Content-Type": "application/json"}
    with start() as http:
        assert http.post(path, headers=typed, content=b'{"release": "x"}').status_code == 200
        answer = http.post(path, headers=typed, content=b" " * 1001)
        assert (answer.status_code, answer.json()["code"]) == (413, "request_too_large")
        chunked = http.post(path, headers=typed, content=iter([b" " * 600] * 2))
        assert (chunked.status_code, chunked.json()["code"]) == (413, "request_too_large")
        with connected(http) as slow:
            head = f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer good\r\nContent-Length: 9\r\n\r\n"
            slow.sendall(head.encode())
            assert b'"code": "request_stalled"' in slow.recv(65536)


EARLY = f"Authorization: Bearer good\r\nContent-Length: {600 * 1024 * 1024}"
"""Of an archive that is larger than any may be."""


@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_who_goes_on_sending_what_was_refused_finds_the_answer(start: Start, version: str) -> None:
    """More than two systems hold between them: to close at once would break the connection, and lose the answer."""
    with start() as http, connected(http) as client:
        head = f"POST /api/v1/plugins HTTP/{version}\r\nHost: x\r\nContent-Type: application/x-tar\r\n{EARLY}\r\n\r\n"
        client.sendall(head.encode())
        client.sendall(bytes(16 * 1024 * 1024))
        answer = client.recv(65536)
        assert answer.startswith(b"HTTP/1.1 413")
        assert b"connection: close\r\n" in answer
        client.shutdown(socket.SHUT_WR)


def test_who_takes_nothing_of_a_log_is_given_up(start: Start) -> None:
    control = FakeControl(NEKO)
    path = "/api/v1/plugins/acme/neko/log?follow=true"
    with start(control, clock_client_idle=0.3) as http, connected(http) as client:
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer good\r\n\r\n".encode())
        watch = select.poll()
        # Not for what can be read: that is there, and is left there.
        watch.register(client, select.POLLHUP | select.POLLERR)
        for _ in range(1000):
            if watch.poll(10):
                return
            control.journals["acme/neko"].append("output", "x" * 65536)
    pytest.fail("it is still served")


def test_a_log_that_is_followed_ends_with_its_token(start: Start, tokens: FakeTokens) -> None:
    control = FakeControl(NEKO)
    http = start(control)
    with http.stream("GET", "/api/v1/plugins/acme/neko/log", params={"follow": "true"}, headers=GOOD) as answer:
        lines = answer.iter_lines()
        control.journals["acme/neko"].append("output", "before")
        while json.loads(next(lines))["text"] != "before":
            pass
        tokens.are_good = False
        control.journals["acme/neko"].append("output", "after")
        assert list(lines) == []


def test_who_follows_a_log_can_be_ended_and_may_wait(start: Start) -> None:
    control = FakeControl(NEKO)
    with (
        start(control) as http,
        http.stream("GET", "/api/v1/plugins/acme/neko/log", params={"follow": "true"}, headers=GOOD) as answer,
    ):
        control.journals["acme/neko"].append("output", "first")
        assert json.loads(next(answer.iter_lines()))["text"] == "first"


# Where it listens


def test_an_address_that_is_taken_is_an_error_that_lets_go_of_all(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(OperatorError, match=address) as caught:
            AdminServer(Settings(state=tmp_path, admin_listen=address))
        assert caught.value.code == "admin_listen_failed"
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]
    with AdminHost(tmp_path, FakeControl(NEKO)):
        pass


def test_where_others_can_listen_in_the_log_warns(tmp_path: Path, tokens: FakeTokens) -> None:
    for address, warns in (("127.0.0.1:0", False), ("[::1]:0", False), ("0.0.0.0:0", True), ("[::]:0", True)):
        with (
            structlog.testing.capture_logs() as logged,
            AdminHost(tmp_path, FakeControl(NEKO), tokens=tokens, admin_listen=address) as host,
        ):
            host.wait_until_served()
        assert ("admin.unencrypted" in [event["event"] for event in logged]) == warns


def test_without_the_setting_nobody_listens(start_daemon: DaemonStarter, tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()
    daemon = start_daemon(tmp_path / "plugins")
    daemon.stop()
    assert "admin.listening" not in daemon.log()
