"""Requests to the plugins of `plugins/`, which are written in the style of those that exist, and how they may be
answered otherwise than by the SDK's own runtime: only as docs/compatibility.md says, row by row."""

import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Any

JSON = ("Content-Type", "application/json")
FORM = (
    b'--b\r\nContent-Disposition: form-data; name="word"\r\n\r\nqu\xc3\xa4k\r\n'
    b'--b\r\nContent-Disposition: form-data; name="word"\r\n\r\nquack\r\n'
    b'--b\r\nContent-Disposition: form-data; name="file"; filename="a b.png"\r\nContent-Type: image/png\r\n\r\n'
    + bytes(range(256))
    + b"\r\n--b--\r\n"
)
SETTINGS: dict[str, dict[str, Any]] = {
    "bot-bridge": {"secret": "s3cret", "app": {"app_id": "duck"}, "mention_only": False},
    "openai_facade": {"api_key": "key", "app": {"app_id": "duck"}, "mode": "last"},
    "knowledge_base": {"token": "t0ken", "region": "us"},
    "page": {"title": "Pond"},
}
"""What the operator, or the declared defaults, give; our daemon fills the defaults in by itself."""


@dataclass(frozen=True)
class Different:
    """How our answer differs: the row of docs/compatibility.md that says so, our status, and what our body holds.

    A failure has no status: what had left before it is broken off, and where nothing had, the answer is a 500.
    """

    row: str
    status: int | None
    body: bytes | None = None


@dataclass(frozen=True)
class Case:
    """A request to `target` below the hook id."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    different: Different | None = None


def signed(method: str, query: str, body: bytes | None = None, *headers: tuple[str, str]) -> Case:
    base = query.encode() + b"." + (body or b"")
    signature = hmac.new(b"s3cret", base, hashlib.sha256).hexdigest()
    return Case(method, f"/hook?{query}", (("X-Signature", signature), *headers), body)


def retrieval(token: str | None = "t0ken", **changes: object) -> Case:
    asked = {"knowledge_id": "ponds", "query": "ducks?", "retrieval_setting": {"top_k": 2, "score_threshold": 0.5}}
    headers = (JSON,) if token is None else (JSON, ("Authorization", f"Bearer {token}"))
    return Case("POST", "/retrieval", headers, json.dumps(asked | changes).encode())


def different(case: Case, row: str, status: int | None, body: bytes | None = None) -> Case:
    return Case(case.method, case.target, case.headers, case.body, Different(row, status, body))


def odd(name: str, row: str, status: int | None, body: bytes | None = None, method: str = "GET") -> Case:
    return Case(method, f"/odd/{name}/", different=Different(row, status, body))


def rpc(method: str, **params: object) -> Case:
    request = {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}
    return Case("POST", "/mcp", (JSON,), json.dumps(request).encode())


CASES: dict[str, list[Case]] = {
    "bot-bridge": [
        signed("GET", "z=1&challenge=quack%20quack&a=%2f&flag"),
        signed("POST", "b=2&a=1", b'{"user": "u", "text": "hi"}', JSON, ("X-Retry", "1")),
        signed("POST", "", '{"user": "u", "text": "tschüß"}'.encode(), JSON, ("X-Retry", "1")),
        Case("POST", "/hook?a=1", (JSON, ("X-Signature", "wrong")), b"{}"),
        different(signed("POST", "", b"{no json", JSON), "`abort()`, `HTTPException`", 400),
    ],
    "openai_facade": [
        Case("GET", "/v1/models", (("Authorization", "Bearer key"),)),
        Case("GET", "/v1/models"),
        Case("GET", "/v1/models", (("Authorization", "Bearer other"),)),
        Case("POST", "/v1/chat/completions", (("Authorization", "Bearer key"),), b'{"messages": []}'),
        Case("GET", "/v1/chat/completions", different=Different("wrong method", 405)),
        Case("GET", "/v1/nothing", different=Different("errors of the daemon", 404)),
    ],
    "mcp_server": [
        rpc("initialize", protocolVersion="2024-11-05"),
        rpc("tools/list"),
        rpc("tools/call", name="quack", arguments={"times": 3}),
        rpc("unheard/of"),
        rpc("notifications/initialized"),
        Case("POST", "/messages/01234567", (JSON,), b"{}"),
        Case("POST", "/messages/short", (JSON,), b"{}", Different("errors of the daemon", 404)),
    ],
    "knowledge_base": [
        retrieval(),
        retrieval(query="Gänse?", retrieval_setting={"top_k": 9}),
        retrieval(None),
        retrieval("other"),
        # The operator has asked for `value_error_is_404`.
        retrieval(retrieval_setting={"top_k": 0}),
        retrieval(query=7),
    ],
    "page": [
        Case("GET", "/"),
        Case("GET", "/?greeting=a+b%26c&greeting=d"),
        Case("GET", "/assets/css/pond.css"),
        Case("GET", "/assets/dots.bin"),
        Case("GET", "/assets/two%20words.txt"),
        Case("GET", "/assets/nothing.txt", different=Different("`abort()`, `HTTPException`", 404)),
        Case("GET", "/assets/../endpoints/index.py", different=Different("`abort()`, `HTTPException`", 404)),
        Case("GET", "/data.json"),
        Case("GET", "/data.json?count=1000"),
        Case("POST", "/form", (("Content-Type", "multipart/form-data; boundary=b"),), FORM),
        Case("POST", "/form", (("Content-Type", "application/x-www-form-urlencoded"),), b"a=1&a=2&b=%C3%A4"),
        different(Case("GET", "/data.json?count=many"), "failure in the middle", None),
    ],
    "compiled": [
        Case("PUT", "/sort", (JSON,), b'{"b": [1.5, null], "a": "\\u00e4"}'),
        different(Case("PUT", "/sort", (JSON,), b"{"), "`ValueError` of `_invoke`", 500),
    ],
    "oddities": [
        odd("value-error", "`ValueError` of `_invoke`", 500),
        odd("failure", "exceptions", 500),
        odd("forbidden", "`abort()`, `HTTPException`", 403, b"ducks only"),
        odd("text", "returning a `str`", 500),
        odd("cookies", "repeated headers (`Set-Cookie`)", 200, b"cookies"),
        Case("GET", "/odd/chunks/"),
        odd("closes", "`close()`, `call_on_close`", 200, b"chunks"),
        odd("breaks", "failure in the middle", None),
        odd("no-content", "HEAD, 204, 304", 204, b""),
        Case("GET", "/odd/empty/"),
        odd("cookies", "HEAD, 204, 304", 200, b"", "HEAD"),
        Case("GET", "/odd/cookies", different=Different("path without its slash", 308)),
        Case(
            "GET",
            "/show/tags",
            (("X-Tag", "one"), ("X-Tag", "two")),
            different=Different("repeated headers", 200, b'"tag": ["one", "two"]'),
        ),
        Case("GET", "/show/a%2Fb/c?x=1", different=Different("`r.url`, `r.root_path`", 200, b"/e/oddities/show/a")),
    ],
}
