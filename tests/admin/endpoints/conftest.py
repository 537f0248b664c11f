"""The API's endpoints over the real socket, with a real registry, store and plugin behind it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from endpointd.admin.problems import error_of
from endpointd.endpoints.errors import EndpointInvalid
from endpointd.manifest.findings import one_line
from support import teller
from support.fake_control import NEKO, AdminHost, FakeControl
from support.teller import SECRET, TELLER, Office

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
