"""The API is what it says it is: schemathesis asks a real daemon over the network, by its own description."""

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from endpointd.testing import DaemonStarter
from support.plugins import write_plugin

EXAMPLES = 20
SLOW = 3
"""Examples of what starts a process each time."""

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    negative_data_rejection,
]

ANSWERS = """
from dify_plugin import Endpoint
from werkzeug import Response

class Answers(Endpoint):
    def _invoke(self, r, values, settings):
        return Response("yes")
"""
SETTINGS: dict[str, Any] = {
    "token": {"type": "secret-input", "required": True, "label": {"en_US": "Token"}},
    "loud": {"type": "boolean"},
}

PLUGIN = "/api/v1/plugins/{author}/{name}"
ENDPOINT = "/api/v1/endpoints/{endpoint_id}"
OPERATIONS = [
    ("GET", "/api/v1/daemon"),
    ("POST", "/api/v1/daemon/reload"),
    ("GET", "/api/v1/daemon/log-level"),
    ("PUT", "/api/v1/daemon/log-level"),
    ("GET", "/api/v1/plugins"),
    ("GET", PLUGIN),
    ("GET", PLUGIN + "/log"),
    ("GET", PLUGIN + "/settings"),
    ("POST", PLUGIN + "/stop"),
    ("POST", PLUGIN + "/start"),
    ("POST", PLUGIN + "/restart"),
    ("POST", PLUGIN + "/rollback"),
    ("DELETE", PLUGIN),
    ("GET", "/api/v1/endpoints"),
    ("POST", "/api/v1/endpoints"),
    ("POST", "/api/v1/endpoints/apply"),
    ("GET", ENDPOINT),
    ("PATCH", ENDPOINT),
    ("POST", ENDPOINT + "/enable"),
    ("POST", ENDPOINT + "/disable"),
    ("DELETE", ENDPOINT),
    ("GET", "/api/v1/environments"),
    ("POST", "/api/v1/environments/prune"),
    ("POST", "/api/v1/secrets/rotate"),
    ("GET", "/api/v1/tokens"),
    ("POST", "/api/v1/tokens"),
    ("DELETE", "/api/v1/tokens/{token_id}"),
]
"""In the order in which they are tried: what removes something comes after what needs it."""

LEFT_OUT = {
    ("POST", "/api/v1/plugins"): "its body is a tar archive, which is not made of a schema; tests/test_operations.py",
}
BODIES = {
    "/api/v1/endpoints": {"plugin": "test/teller", "name": "Two", "settings": {"token": "x"}},
}
"""Of what chance alone would never get right."""

NEVER_DONE = {
    # The plugin has no older release.
    ("POST", PLUGIN + "/rollback"),
}
ACTING = {
    "/api/v1/daemon/reload",
    "/api/v1/secrets/rotate",
    *(f"{PLUGIN}/{action}" for action in ("stop", "start", "restart", "rollback")),
}


@dataclass
class Api:
    """A daemon's API with a token for it, and what there is of each kind."""

    schema: Any
    headers: dict[str, str]
    endpoint: str
    token: str

    def names(self, method: str, path: str) -> dict[str, str]:
        """Those of something that there is, for the parameters of a path."""
        name = "doomed" if method == "DELETE" else "teller"
        known = {"author": "test", "name": name, "endpoint_id": self.endpoint, "token_id": self.token}
        return {key: value for key, value in known.items() if f"{{{key}}}" in path}


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    root = tmp_path_factory.mktemp("conformance")
    for name in ("teller", "doomed"):
        write_plugin(root / "plugins", name, {"answers.py": ANSWERS}, [("GET", "/", "answers.py")], SETTINGS)
    starter = DaemonStarter(tmp_path_factory.mktemp)
    try:
        daemon = starter(root / "plugins", state=root / "state", admin_listen="127.0.0.1:0")
        url = json.loads(daemon.wait_for_log("admin.listening"))["url"]
        yield _prepared(url, root / "state" / "endpointd.sock")
    finally:
        starter.stop_all()


def _prepared(url: str, socket: Path) -> Api:
    """There are an endpoint and two tokens."""
    with httpx.Client(transport=httpx.HTTPTransport(uds=str(socket)), base_url="http://endpointd") as local:
        made = local.post("/api/v1/tokens", json={"name": "schemathesis"}).json()
        other = local.post("/api/v1/tokens", json={"name": "doomed", "days": 1}).json()
        wanted = {"plugin": "test/teller", "name": "One", "settings": {"token": "x"}}
        endpoint = local.post("/api/v1/endpoints", json=wanted).json()
    headers = {"Authorization": f"Bearer {made['secret']}"}
    schema = schemathesis.openapi.from_url(f"{url}/api/v1/openapi.json", headers=headers)
    return Api(schema, headers, endpoint["id"], other["token"]["id"])


def test_no_operation_is_forgotten(api: Api) -> None:
    described = {(each.ok().method.upper(), each.ok().path) for each in api.schema.get_all_operations()}
    assert described == {*OPERATIONS, *LEFT_OUT}


@pytest.mark.parametrize(("method", "path"), OPERATIONS, ids=itertools.starmap("{} {}".format, OPERATIONS))
def test_an_operation_answers_as_described(api: Api, method: str, path: str) -> None:
    operation = api.schema[path][method]
    names = api.names(method, path)
    examples = SLOW if path in ACTING else EXAMPLES
    positive, negative = GenerationMode.POSITIVE, GenerationMode.NEGATIVE
    # What there is, before anything else can have changed it.
    given = {"body": BODIES[path]} if path in BODIES and method == "POST" else {}
    statuses = _ask(api, operation.as_strategy(positive, path_parameters=names or None, **given), examples)
    assert (method, path) in NEVER_DONE or any(status < 300 for status in statuses), statuses
    _ask(api, operation.as_strategy(positive), examples)
    if list(operation.body) or list(operation.query):
        # Any word may stand in a path.
        _ask(api, operation.as_strategy(negative), examples)


def _ask(api: Api, cases: st.SearchStrategy[Case[Any]], examples: int) -> set[int]:
    """The statuses of the answers."""
    statuses = set()

    @given(case=cases)
    @settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    def ask(case: Case[Any]) -> None:
        if case.path.endswith("/log"):
            # A log that is followed has no end.
            case.query = {**(case.query or {}), "follow": "false"}
        answer = case.call_and_validate(headers=api.headers, checks=CHECKS, timeout=20)
        statuses.add(answer.status_code)

    ask()
    return statuses
