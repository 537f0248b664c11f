"""What the API answers about endpoints, and what it refuses."""

import json
import socket
import threading
import time
from pathlib import Path

import httpx
import pytest

from admin.endpoints.conftest import UNKNOWN, URL, apply, create, declared, faults, problem
from endpointd.admin.documents import read
from endpointd.endpoints.views import AppliedView, EndpointView, SettingView
from support import teller
from support.fake_control import AdminHost
from support.teller import MODEL, SECRET, SETTINGS, TELLER, TOKEN, Office

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
