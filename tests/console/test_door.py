"""Who gets in, what a form has to show, and what browsers are told to be strict about."""

import json
import re
from collections.abc import Iterator
from urllib.parse import quote

import httpx
import pytest
from starlette.requests import Request

from endpointd.console.requests import is_by_hand
from endpointd.console.sessions import IDLE, Session, Sessions
from support.console import Console, Operator

PAGES = [
    "/console/plugins",
    "/console/plugins/test/slow",
    "/console/plugins/test/slow/log",
    "/console/endpoints",
    "/console/endpoints/new",
    "/console/endpoints/new?plugin=test/chat-bridge",
    "/console/endpoints/abc",
    "/console/endpoints/abc/edit",
    "/console/endpoints/abc/delete",
]

DEEDS = [
    "/console/sign-out",
    "/console/plugins",
    *(f"/console/plugins/test/slow/{action}" for action in ("start", "stop", "restart", "rollback", "try")),
    "/console/endpoints/new",
    *(f"/console/endpoints/abc/{action}" for action in ("edit", "enable", "disable", "delete", "try")),
]


@pytest.mark.parametrize("path", PAGES)
def test_who_is_not_signed_in_is_sent_to_sign_in(stranger: httpx.Client, path: str) -> None:
    answer = stranger.get(path)
    assert answer.status_code == 303
    assert answer.headers["location"] == f"/console/sign-in?next={quote(path)}"


@pytest.mark.parametrize("path", DEEDS)
def test_who_is_not_signed_in_does_nothing(stranger: httpx.Client, path: str) -> None:
    answer = stranger.post(path, data={"csrf": ""})
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/sign-in")


def test_the_cookie_is_for_no_script_and_no_other_site(console: Console, stranger: httpx.Client) -> None:
    cookie = stranger.post("/console/sign-in", data={"token": console.token}).headers["set-cookie"]
    assert re.fullmatch(r"endpointd-\d+=[\w-]{43}; HttpOnly; Path=/console; SameSite=strict", cookie)


def test_behind_tls_the_cookie_never_goes_without_it(console: Console, stranger: httpx.Client) -> None:
    form, headers = {"token": console.token}, {"X-Forwarded-Proto": "https"}
    cookie = stranger.post("/console/sign-in", data=form, headers=headers).headers["set-cookie"]
    assert cookie.endswith("; Path=/console; SameSite=strict; Secure")


def test_a_wrong_token_opens_nothing(stranger: httpx.Client) -> None:
    answer = stranger.post("/console/sign-in", data={"token": "<script>wrong"})
    assert answer.status_code >= 400
    assert "set-cookie" not in answer.headers
    assert "wrong" not in answer.text


@pytest.mark.parametrize("origin", ["http://evil.example", "http://[", "[", "://"])
def test_signing_in_from_another_site_is_refused(console: Console, stranger: httpx.Client, origin: str) -> None:
    answer = stranger.post("/console/sign-in", data={"token": console.token}, headers={"Origin": origin})
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    ("wanted", "to"),
    [
        ("/console/endpoints", "/console/endpoints"),
        ("/console/endpoints/new?plugin=a/b", "/console/endpoints/new?plugin=a/b"),
        ("//evil.example/console/", "/console/plugins"),
        ("https://evil.example/", "/console/plugins"),
        ("/console/\\evil", "/console/plugins"),
        ("/console/\nx", "/console/plugins"),
    ],
)
def test_signing_in_leads_to_pages_of_the_console_alone(
    console: Console, stranger: httpx.Client, wanted: str, to: str
) -> None:
    answer = stranger.post("/console/sign-in", params={"next": wanted}, data={"token": console.token})
    assert answer.headers["location"] == to


@pytest.mark.parametrize("path", DEEDS)
def test_a_form_without_the_sessions_word_does_nothing(operator: Operator, path: str) -> None:
    # One form has a file, and comes in another way.
    files = {"package": ("x.difypkg", b"PK")} if path == "/console/plugins" else None
    for csrf in ("", "x" * 43):
        assert operator.client.post(path, data={"csrf": csrf}, files=files).status_code == 403
    assert operator.client.post(path, files=files).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://["},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
    ],
)
def test_a_form_of_another_site_does_nothing(operator: Operator, headers: dict[str, str]) -> None:
    answer = operator.client.post("/console/sign-out", data={"csrf": operator.csrf}, headers=headers)
    assert answer.status_code == 403
    assert operator.get("/console/plugins").status_code == 200


def test_one_sessions_word_is_not_anothers(console: Console, operator: Operator) -> None:
    with httpx.Client(base_url=console.url) as client:
        client.post("/console/sign-in", data={"token": console.token})
        assert client.post("/console/sign-out", data={"csrf": operator.csrf}).status_code == 403


def test_who_has_signed_out_is_out(operator: Operator) -> None:
    cookies = dict(operator.client.cookies)
    assert operator.post("/console/sign-out").headers["location"] == "/console/sign-in"
    operator.client.cookies.update(cookies)
    assert operator.get("/console/plugins").status_code == 303


def test_a_revoked_token_ends_its_sessions(console: Console, stranger: httpx.Client) -> None:
    token_id, secret = console.new_token("short-lived")
    Operator(stranger, secret)
    assert stranger.get("/console/plugins").status_code == 200
    console.revoke(token_id)
    assert stranger.get("/console/plugins").status_code == 303
    assert stranger.post("/console/sign-in", data={"token": secret}).status_code == 401


def test_failures_of_others_at_the_same_address_end_no_session(console: Console) -> None:
    def at_that_address() -> httpx.Client:
        transport = httpx.HTTPTransport(local_address="127.0.0.7")
        return httpx.Client(base_url=console.url.replace("localhost", "127.0.0.1"), transport=transport)

    with at_that_address() as client, at_that_address() as guesser:
        operator = Operator(client, console.token)
        statuses = [guesser.post("/console/sign-in", data={"token": "guess"}).status_code for _ in range(15)]
        assert (statuses[0], statuses[-1]) == (401, 429)
        assert operator.get("/console/plugins").status_code == 200


def test_scripts_are_told_that_the_session_is_over(stranger: httpx.Client) -> None:
    answer = stranger.get("/console/plugins", headers={"X-Console-Live": "1"})
    assert answer.status_code == 401
    answer = stranger.post("/console/plugins/test/slow/stop", headers={"Accept": "application/json"})
    assert answer.status_code == 401


def test_a_log_that_is_asked_for_again_and_again_keeps_no_session() -> None:
    now = [0.0]
    sessions = Sessions(lambda: now[0])
    session = sessions.open("1" * 32, "console")

    def find(**headers: str) -> Session | None:
        scope = {"type": "http", "headers": [(name.encode(), value.encode()) for name, value in headers.items()]}
        return sessions.find(session.id, by_hand=is_by_hand(Request(scope)))

    now[0] = IDLE - 1
    assert find(accept="text/event-stream") is session
    now[0] = IDLE + 1
    assert find(accept="text/html") is None


def every_kind_of_answer(operator: Operator) -> Iterator[httpx.Response]:
    with httpx.Client(base_url=operator.client.base_url) as nobody:
        yield nobody.get("/")
        yield nobody.get("/console/sign-in")
        yield nobody.get("/console/plugins")
    yield operator.get("/console/plugins")
    yield operator.get("/console/nothing")
    yield operator.get("/console/plugins/test/nobody")
    yield operator.post("/console/plugins/test/nobody/stop", Accept="application/json")
    yield operator.client.post("/console/sign-out", content=b"x" * (1024 * 1024 + 1))


def test_browsers_are_told_to_be_strict_in_every_answer(operator: Operator) -> None:
    for answer in every_kind_of_answer(operator):
        policy = dict(part.strip().partition(" ")[::2] for part in answer.headers["content-security-policy"].split(";"))
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
        assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
        assert policy["form-action"] == "'self'"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert answer.headers["cache-control"] == "no-store"


def test_pages_have_no_script_and_no_style_in_them(operator: Operator) -> None:
    for path in PAGES[:2] + PAGES[3:6]:
        text = operator.get(path).text
        assert not re.search(r"<style|style=|\son\w+=|javascript:|<script(?![^>]*src=)", text), path
        # Nothing is fetched from elsewhere.
        assert not re.search(r'(?:src|action|<link[^>]* href)="(?:https?:)?//', text), path


def test_static_files_are_kept_by_browsers_and_are_no_way_out(stranger: httpx.Client) -> None:
    page = stranger.get("/console/sign-in").text
    for path in re.findall(r'"(/console/static/[^"]+)"', page):
        answer = stranger.get(path)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
    assert stranger.get("/console/static/of-yesterday/console.css").headers["cache-control"] == "no-cache"
    for name in ("..%2fapp.py", "%2e%2e/app.py", "nothing.css", "."):
        assert stranger.get(f"/console/static/x/{name}").status_code == 404


def test_a_form_may_be_neither_endless_nor_malformed(operator: Operator) -> None:
    large = operator.client.post("/console/endpoints/new", content=b"x=" + b"y" * (1024 * 1024 + 1))
    assert large.status_code == 422
    for body in (b"csrf=%ff", b"\xff", b"&".join(b"a=%d" % number for number in range(2000))):
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = operator.client.post("/console/endpoints/new", content=body, headers=headers)
        assert answer.status_code in (403, 422)
    answer = operator.client.post("/console/endpoints/new", content=json.dumps({"csrf": operator.csrf}))
    assert answer.status_code == 422


def test_a_host_that_is_none_is_no_fault_of_ours(stranger: httpx.Client) -> None:
    for host in ("a:b:c", "[::1", "a b", "x:99999999"):
        assert stranger.get("/console/plugins", headers={"Host": host}).status_code == 303
