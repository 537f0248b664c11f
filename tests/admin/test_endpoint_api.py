"""The API's endpoints over the real socket, with a real registry, store and plugin behind it."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from endpointd.admin import bodies
from endpointd.admin.documents import read
from endpointd.admin.problems import error_of
from endpointd.endpoints.errors import EndpointInvalid
from endpointd.endpoints.views import AppliedView, EndpointView, SettingView
from endpointd.manifest.findings import one_line
from support import teller
from support.fake_control import NEKO, AdminHost, FakeControl
from support.teller import MODEL, SECRET, SETTINGS, TELLER, TOKEN, Office

URL = "/api/v1/endpoints"
UNKNOWN = "0" * 32
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    with teller.office(tmp_path) as made:
        yield made


@pytest.fixture
def control() -> FakeControl:
    return FakeControl(NEKO)


@pytest.fixture
def host(tmp_path: Path, control: FakeControl, office: Office) -> Iterator[AdminHost]:
    with AdminHost(tmp_path, control, office.registry) as host:
        yield host


def create(http: httpx.Client, name: str = "One", **wanted: object) -> Any:  # noqa: ANN401
    """The document of a new endpoint."""
    answer = http.post(URL, json={"plugin": TELLER, "name": name, "settings": {"token": SECRET}, **wanted})
    assert answer.status_code == 201, answer.text
    return answer.json()


def apply(http: httpx.Client, *endpoints: object, query: str = "") -> httpx.Response:
    return http.post(f"{URL}/apply{query}", json={"endpoints": endpoints})


def declared(name: str, hook_id: str | None = None, **settings: object) -> dict[str, object]:
    return {"plugin": TELLER, "name": name, "hook_id": hook_id, "settings": {"token": SECRET, **settings}}


def problem(answer: httpx.Response, status: int, code: str) -> Any:  # noqa: ANN401
    """The problem document; AssertionError: it is another one, or has the secret in it."""
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text[:1000]
    assert answer.headers["Content-Type"] == "application/problem+json"
    told = answer.json()
    assert (told["status"], told["type"]) == (status, f"urn:endpointd:problem:{code}")
    assert told["detail"]
    assert told["remedy"]
    assert SECRET not in answer.text
    return told


def faults(answer: httpx.Response) -> list[str]:
    """The keys of the faults."""
    told = problem(answer, 400, "endpoint_invalid")
    found = error_of(told)
    assert isinstance(found, EndpointInvalid)
    assert all(one_line(fault["key"]) in told["detail"] for fault in told["faults"])
    assert [set(fault) for fault in told["faults"]] == [{"key", "code", "message", "remedy"}] * len(told["faults"])
    return [fault["key"] for fault in told["faults"]]


# What is answered


def test_an_endpoint_is_made_shown_changed_switched_and_deleted(http: httpx.Client, office: Office) -> None:
    made = create(http, hook_id="here")
    assert read(EndpointView, made) == office.registry.get(made["id"])
    assert made["settings"] == dict.fromkeys(SETTINGS) | {"token": "********"}
    assert http.get(f"{URL}/{made['id']}").json() == made
    assert http.get(URL).json() == [made]
    assert http.get(URL, params={"plugin": TELLER}).json() == [made]
    assert http.get(URL, params={"plugin": "test/other"}).json() == []
    answer = http.patch(f"{URL}/{made['id']}", json={"name": "Two", "settings": {"model": MODEL}})
    assert answer.status_code == 200
    assert answer.json()["settings"] == made["settings"] | {"model": MODEL}
    assert office.kept[0].settings == {"token": SECRET, "model": MODEL}
    for action, enabled in (("disable", False), ("disable", False), ("enable", True)):
        answer = http.post(f"{URL}/{made['id']}/{action}")
        assert (answer.status_code, answer.json()["enabled"]) == (200, enabled)
    answer = http.delete(f"{URL}/{made['id']}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert (http.get(URL).json(), office.kept) == ([], [])


def test_what_is_null_or_absent_in_a_change_stays(http: httpx.Client) -> None:
    made = create(http)
    nothing: dict[str, object] = {"name": None, "hook_id": None, "enabled": None, "settings": {}}
    for change in ({}, nothing, {"settings": made["settings"]}):
        assert http.patch(f"{URL}/{made['id']}", json=change).json() == made


def test_a_plugin_tells_what_its_endpoints_can_be_given(http: httpx.Client, office: Office) -> None:
    found = http.get("/api/v1/plugins/test/teller/settings").json()
    assert [read(SettingView, one) for one in found] == office.registry.settings(TELLER)
    assert found[-1]["default"] == "********"


def test_a_file_is_applied_and_owns_what_it_declares(http: httpx.Client, office: Office) -> None:
    mine = create(http, "Mine")
    told = apply(http, declared("A", "a"), declared("B"), query="?dry_run=true").json()
    assert (told["dry_run"], [one["id"] for one in told["create"]], len(office.kept)) == (True, [None, None], 1)
    told = apply(http, declared("A", "a"), declared("B")).json()
    ids = [one["id"] for one in told["create"]]
    assert read(AppliedView, told).create[0].hook_id == "a"
    assert [http.get(f"{URL}/{one}").json()["origin"] for one in (mine["id"], *ids)] == ["operator", "file", "file"]
    for answer in (
        http.patch(f"{URL}/{ids[0]}", json={"name": "Other"}),
        http.post(f"{URL}/{ids[0]}/enable"),
        http.post(f"{URL}/{ids[0]}/disable"),
        http.delete(f"{URL}/{ids[0]}"),
    ):
        problem(answer, 409, "endpoint_declared")
    told = apply(http, declared("A", "a", loud=True)).json()
    assert [(one["name"], one["changes"]) for one in told["update"]] == [("A", ["settings.loud"])]
    assert [one["name"] for one in told["delete"]] == ["B"]
    again = apply(http, declared("A", "a", loud=True)).json()
    assert {key: len(again[key]) for key in ("create", "update", "delete", "unchanged")} == {
        "create": 0,
        "update": 0,
        "delete": 0,
        "unchanged": 1,
    }
    assert len(office.kept) == 2


def test_the_description_names_every_path(http: httpx.Client) -> None:
    described = http.get("/api/v1/openapi.json").json()
    one = f"{URL}/{{endpoint_id}}"
    paths = {URL, one, f"{one}/enable", f"{one}/disable", f"{URL}/apply", "/api/v1/plugins/{author}/{name}/settings"}
    assert paths <= set(described["paths"])
    operations = [each for path in paths for each in described["paths"][path].values()]
    assert all(each["summary"] for each in operations)
    assert described["paths"][URL]["post"]["requestBody"]["required"]


# What is refused


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", f"{URL}/{UNKNOWN}"),
        ("GET", f"{URL}/apply"),
        ("GET", f"{URL}/%00%ff%f0%9f%a6%86"),
        ("GET", f"{URL}/{'x' * 10_000}"),
        ("PATCH", f"{URL}/{UNKNOWN}"),
        ("DELETE", f"{URL}/{UNKNOWN}"),
        ("POST", f"{URL}/{UNKNOWN}/enable"),
        ("POST", f"{URL}/{UNKNOWN}/disable"),
    ],
)
def test_an_unknown_endpoint_is_a_problem(http: httpx.Client, method: str, path: str) -> None:
    told = problem(http.request(method, path, json={} if method == "PATCH" else None), 404, "endpoint_unknown")
    assert len(told["detail"]) < 1000


def test_an_unknown_plugin_is_a_problem(http: httpx.Client, office: Office) -> None:
    body = {"plugin": "test/telle", "name": "One", "settings": {"token": SECRET}}
    assert "test/teller" in problem(http.post(URL, json=body), 404, "plugin_unknown")["remedy"]
    problem(http.get("/api/v1/plugins/test/telle/settings"), 404, "plugin_unknown")
    made = create(http)
    del office.shelf.plugins[TELLER]
    problem(http.patch(f"{URL}/{made['id']}", json={"settings": {"loud": True}}), 404, "plugin_unknown")
    shown = http.get(f"{URL}/{made['id']}").json()
    assert [fault["code"] for fault in shown["faults"]] == ["plugin_unknown"]
    assert shown["settings"] == {"token": "********"}


def test_every_fault_is_told_with_its_key(http: httpx.Client, office: Office) -> None:
    settings = {"tokn": SECRET, "loud": SECRET, "region": SECRET, "app": {"id": SECRET}, "model": [SECRET]}
    answer = http.post(URL, json={"plugin": TELLER, "name": "", "hook_id": "NO", "settings": settings})
    keys = ["token", "region", "loud", "app", "model", "tokn"]
    assert faults(answer) == ["name", "hook_id", *(f"settings.{key}" for key in keys)]
    assert "did you mean 'token'?" in answer.text
    made = create(http, hook_id="here")
    assert faults(http.patch(f"{URL}/{made['id']}", json={"settings": settings | {"token": None}})) == [
        f"settings.{key}" for key in keys
    ]
    assert faults(http.post(URL, json=declared("Two", "here"))) == ["hook_id"]
    assert faults(apply(http, declared("A"), declared("A"), declared("B", "here", tokn=SECRET))) == [
        "endpoints[1].name",
        "endpoints[2].hook_id",
        "endpoints[2].settings.tokn",
    ]
    assert [record.name for record in office.kept] == ["One"]


def test_an_endpoint_that_a_new_version_does_not_suit_says_so(
    http: httpx.Client, office: Office, tmp_path: Path
) -> None:
    made = create(http)
    office.shelf.put(teller.write(tmp_path, settings={**TOKEN, "zone": {"type": "text-input", "required": True}}))
    shown = http.get(URL).json()[0]
    assert [(fault["key"], fault["code"]) for fault in shown["faults"]] == [("settings.zone", "value_missing")]
    assert faults(http.patch(f"{URL}/{made['id']}", json={"settings": {"token": "x"}})) == ["settings.zone"]


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


# While others ask, and when the store fails


def test_a_client_that_leaves_has_its_change_made(host: AdminHost, http: httpx.Client, office: Office) -> None:
    office.store.gate = threading.Event()
    body = json.dumps(declared("Left", "left")).encode()
    head = f"POST {URL} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(host.state / "endpointd.sock"))
        client.sendall(head.encode() + body)
        assert office.store.entered.wait(20)
    # Reading waits for nobody.
    assert http.get(URL).json() == []
    office.store.gate.set()
    assert create(http, "Next")["name"] == "Next"
    assert [record.name for record in office.kept] == ["Left", "Next"]


def test_a_store_that_fails_is_a_problem_and_changes_nothing(http: httpx.Client, office: Office) -> None:
    made = create(http)
    office.store.fails = "before"
    for answer in (
        http.post(URL, json=declared("Two")),
        http.patch(f"{URL}/{made['id']}", json={"name": "Two"}),
        http.post(f"{URL}/{made['id']}/disable"),
        http.delete(f"{URL}/{made['id']}"),
        apply(http, declared("A")),
    ):
        problem(answer, 409, "database_unreachable")
    assert http.get(URL).json() == [made]
    assert len(office.kept) == 1
    office.store.fails = "after"
    assert http.post(URL, json=declared("Two")).status_code == 201
    assert len(office.kept) == 2


def test_a_large_file_keeps_nobody_else_waiting(http: httpx.Client, host: AdminHost, office: Office) -> None:
    longest, ends = [0.0], threading.Event()

    def watch() -> None:
        transport = httpx.HTTPTransport(uds=str(host.state / "endpointd.sock"))
        with httpx.Client(transport=transport, base_url="http://endpointd", timeout=20) as other:
            while not ends.is_set():
                began = time.monotonic()
                other.get("/api/v1/plugins")
                longest[0] = max(longest[0], time.monotonic() - began)

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        for text in ("a", "b"):
            endpoints = [declared(f"Number {number}", f"hook-{number}", greeting=text) for number in range(1000)]
            assert apply(http, *endpoints).status_code == 200
    finally:
        ends.set()
        watching.join()
    assert len(office.kept) == 1000
    assert longest[0] < 2
