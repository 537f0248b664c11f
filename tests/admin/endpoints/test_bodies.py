"""What is sent to the API's endpoints and cannot be used: other forms, hostile values, bodies without end."""

import json
import socket
from typing import Any

import httpx
import pytest

from admin.endpoints.conftest import JSON, UNKNOWN, URL, apply, create, declared, faults, problem
from endpointd.admin import bodies
from support.fake_control import AdminHost
from support.teller import SECRET, TELLER, Office

BODIES: list[object] = [
    None,
    [],
    "text",
    {},
    {"plugin": TELLER},
    {"plugin": TELLER, "name": None},
    {"plugin": "", "name": "x"},
    {"plugin": "x" * 301, "name": "x"},
    {"plugin": [TELLER], "name": "x"},
    {"plugin": TELLER, "name": 5},
    {"plugin": TELLER, "name": "x", "enabled": "yes"},
    {"plugin": TELLER, "name": "x", "hook_id": 5},
    {"plugin": TELLER, "name": "x", "settings": None},
    {"plugin": TELLER, "name": "x", "settings": [SECRET]},
    {"plugin": TELLER, "name": "x", "settings": SECRET},
    {"plugin": TELLER, "name": "x", "token": SECRET},
    {"plugin": TELLER, "name": "x", "a\ud800": SECRET},
    {"plugin": TELLER, "name": "x", "settings": {"token": SECRET}, **{f"key{n}": SECRET for n in range(100_000)}},
]


@pytest.mark.parametrize("body", BODIES, ids=lambda body: ascii(body)[:60])
def test_a_body_of_another_form_is_a_problem(http: httpx.Client, office: Office, body: object) -> None:
    told = problem(http.post(URL, content=json.dumps(body), headers=JSON), 422, "request_invalid")
    assert len(told["detail"]) < 20_000
    assert told["detail"].isprintable()
    problem(http.post(f"{URL}/apply", content=json.dumps({"endpoints": [body]}), headers=JSON), 422, "request_invalid")
    assert office.kept == []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        SECRET.encode(),
        b'{"plugin": "' + SECRET.encode(),
        b'{"name": "\xff' + SECRET.encode() + b'"}',
        b"\xff\xfe{\0",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"settings": {"a": ' + b"[" * 2000 + b"]" * 2000 + b"}}",
        b'{"name": ' + b"1" * 10_000 + b"}",
        b'{"name": \0}',
    ],
    ids=lambda content: ascii(content[:20]),
)
def test_what_is_no_json_is_a_problem(http: httpx.Client, content: bytes) -> None:
    for method, path in (("POST", URL), ("PATCH", f"{URL}/{UNKNOWN}"), ("POST", f"{URL}/apply")):
        problem(http.request(method, path, content=content, headers=JSON), 422, "request_invalid")
    problem(http.post("/api/v1/plugins/acme/neko/rollback", content=content, headers=JSON), 422, "request_invalid")


def test_json_of_another_type_is_a_problem(http: httpx.Client) -> None:
    body = json.dumps(declared("A"))
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "", ";"):
        problem(http.post(URL, content=body, headers={"Content-Type": kind}), 422, "request_invalid")


@pytest.mark.parametrize("path", [f"{URL}?plugins=x", f"{URL}/apply?dry-run=true", f"{URL}/apply?dry_run={SECRET}"])
def test_an_unknown_option_is_a_problem(http: httpx.Client, path: str) -> None:
    method = "POST" if "apply" in path else "GET"
    problem(http.request(method, path, json={"endpoints": []}), 422, "request_invalid")


ODD_KEYS = ["a\nb", "", "\0", "\ud800", "\u202e"]
HOSTILE: dict[str, tuple[dict[str, Any], list[str]]] = {
    "surrogates": ({"token": "\ud800", "tools": {"\udfff": [SECRET]}}, ["token", "tools"]),
    "no numbers": ({"token": SECRET, "tools": [float("nan"), float("inf")]}, ["tools"]),
    "deep": (
        {"token": json.loads("[" * 900 + "]" * 900), "app": {"app_id": json.loads('{"a":' * 40 + "1" + "}" * 40)}},
        ["token", "app"],
    ),
    "large": ({"token": SECRET * 50_000}, [""]),
    "many keys": (
        {f"key{number}": SECRET for number in range(100_000)},
        ["", "token", *(f"key{number}" for number in range(64))],
    ),
    "long key": ({"token": SECRET, "k" * 1_000_000: SECRET}, ["k" * 200]),
    "odd keys": ({"token": SECRET, **dict.fromkeys(ODD_KEYS, SECRET)}, ODD_KEYS),
}


@pytest.mark.parametrize(("settings", "keys"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_values_are_faults_of_their_settings(
    http: httpx.Client, office: Office, settings: dict[str, Any], keys: list[str]
) -> None:
    wanted = [f"settings.{key}".removesuffix(".") for key in keys]
    body = {"plugin": TELLER, "name": "x", "settings": settings}
    answer = http.post(URL, content=json.dumps(body), headers=JSON)
    assert faults(answer) == wanted
    assert len(answer.content) < 100_000
    answer = http.post(f"{URL}/apply", content=json.dumps({"endpoints": [body]}), headers=JSON)
    assert faults(answer) == [f"endpoints[0].{key}" for key in wanted]
    made = create(http)
    answer = http.patch(f"{URL}/{made['id']}", content=json.dumps({"settings": settings}), headers=JSON)
    assert faults(answer) == [key for key in wanted if key != "settings.token" or "token" in settings]
    assert [record.settings for record in office.kept] == [{"token": SECRET}]


def test_texts_that_are_odd_and_allowed_come_back(http: httpx.Client, office: Office) -> None:
    odd = "\0\x01\x1b[31m\r\n\N{DUCK}\u202e\uffff"
    made = create(http, name="\N{DUCK} \u202e", settings={"token": odd, "greeting": odd})
    assert made["settings"]["greeting"] == odd
    assert office.kept[0].settings == {"token": odd, "greeting": odd}


@pytest.mark.parametrize(
    "name", ["\0", "\ud800", "a\nb", "\x1b[31m", "\u2028", "x" * 201, "x" * 1_000_000, " " * 10, ""]
)
def test_hostile_names_and_hook_ids_are_faults(http: httpx.Client, name: str) -> None:
    body = json.dumps({"plugin": TELLER, "name": name, "hook_id": name, "settings": {"token": SECRET}})
    answer = http.post(URL, content=body, headers=JSON)
    assert faults(answer) == ["name", "hook_id"]
    assert answer.json()["detail"].isprintable()
    assert len(answer.content) < 5000
    made = create(http)
    answer = http.patch(f"{URL}/{made['id']}", content=json.dumps({"name": name, "hook_id": name}), headers=JSON)
    assert faults(answer) == ["name", "hook_id"]


@pytest.mark.parametrize("is_announced", [True, False])
def test_a_body_that_is_too_large_is_refused_before_it_is_whole(
    http: httpx.Client, office: Office, is_announced: bool
) -> None:
    content = bytes(20_000_000) if is_announced else (bytes(1001) for _ in range(20_000))
    answer = http.post(f"{URL}/apply", content=content, headers=JSON)
    problem(answer, 413, "request_too_large")
    assert answer.headers["Connection"] == "close"
    assert office.kept == []


def test_the_largest_body_is_read(http: httpx.Client) -> None:
    body = json.dumps({"endpoints": []}).encode()
    assert http.post(f"{URL}/apply", content=body.ljust(bodies.MOST), headers=JSON).status_code == 200


def test_too_many_endpoints_in_a_file_are_refused(http: httpx.Client) -> None:
    problem(apply(http, *(declared(f"Number {number}") for number in range(1001))), 422, "request_invalid")


def test_a_body_that_does_not_go_on_is_given_up(host: AdminHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "PATIENCE", 0.05)
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        client.connect(str(host.state / "endpointd.sock"))
        client.sendall(
            f"POST {URL} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{{".encode()
        )
        answer = b"".join(iter(lambda: client.recv(4096), b""))
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "request_stalled"
