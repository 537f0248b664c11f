"""Endpoints that operators make, while a daemon serves its plugins."""

import json
import os
import re
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from endpointd.admin.client import Client
from endpointd.endpoints.errors import EndpointInvalid
from endpointd.errors import OperatorError
from live.conftest import Served, Shop
from support.eventually import eventually
from support.plugins import write_plugin
from support.processes import children
from support.raw_http import Answer, ask

Serve = Callable[..., Served]

TELLS = """
import json
from dify_plugin import Endpoint
from werkzeug import Response

class Tells(Endpoint):
    def _invoke(self, r, values, settings):
        return Response(json.dumps({"VERSION": settings}))
"""

TOKEN = {"name": "token", "type": "secret-input", "required": True}
GREETING = {"name": "greeting", "type": "text-input", "required": False, "default": "Hello"}
SECRET = "hunter2-and-more"


def put(shop: Shop, version: str, *settings: dict[str, Any], name: str = "teller") -> None:
    """The plugin test/<name>, in one step; it tells its settings under the name of its version."""
    shutil.rmtree(shop.bench, ignore_errors=True)
    sources = {"tells.py": TELLS.replace("VERSION", version)}
    routes = [("GET", "/", "tells.py"), ("GET", "/other", "tells.py")]
    made = write_plugin(shop.bench, name, sources, routes, {one["name"]: one for one in settings})
    old = shop.plugins / name
    if old.exists():
        os.rename(old, shop.plugins / f".{name}.old")
        shutil.rmtree(shop.plugins / f".{name}.old")
    made.rename(old)


class Operator:
    """What the API does, and what clients see of it."""

    def __init__(self, served: Served) -> None:
        self.served = served

    def create(self, name: str = "One", plugin: str = "test/teller", **wanted: object) -> Any:  # noqa: ANN401
        wanted.setdefault("settings", {"token": SECRET})
        return self._do(lambda client: client.create_endpoint({"plugin": plugin, "name": name, **wanted}))

    def change(self, endpoint: dict[str, Any], **change: object) -> Any:  # noqa: ANN401
        return self._do(lambda client: client.change_endpoint(endpoint["id"], change))

    def switch(self, endpoint: dict[str, Any], *, enabled: bool) -> Any:  # noqa: ANN401
        return self._do(lambda client: client.switch_endpoint(endpoint["id"], enabled=enabled))

    def delete(self, endpoint: dict[str, Any]) -> None:
        self._do(lambda client: client.delete_endpoint(endpoint["id"]))

    def show(self, endpoint: dict[str, Any]) -> Any:  # noqa: ANN401
        found = self._do(lambda client: client.endpoints())
        return next(one for one in found if one["id"] == endpoint["id"])

    def act(self, action: str, body: object = None) -> Any:  # noqa: ANN401
        return self._do(lambda client: client.act(action, "test/teller", body))

    def _do(self, action: Callable[[Client], Any]) -> Any:  # noqa: ANN401
        with Client(self.served.state) as client:
            return action(client)

    def ask(self, endpoint: dict[str, Any], path: str = "/") -> Answer:
        return ask(self.served.url, f"/e/{endpoint['hook_id']}{path}")

    def told(self, endpoint: dict[str, Any], path: str = "/") -> Any:  # noqa: ANN401
        """What the plugin tells; the code, when it is a problem."""
        answer = self.ask(endpoint, path)
        return json.loads(answer.body) if answer.status == 200 else answer.code

    def comes_to_tell(self, endpoint: dict[str, Any], told: object) -> None:
        eventually(lambda: self.told(endpoint) == told, 10)


@pytest.fixture
def operator(serve: Serve, shop: Shop) -> Iterator[Operator]:
    put(shop, "first", TOKEN, GREETING)
    served = serve()
    yield Operator(served)
    assert SECRET not in served.daemon.log()


def test_an_endpoint_answers_from_the_moment_that_it_is_made(operator: Operator) -> None:
    endpoint = operator.create()
    assert re.fullmatch("[a-z0-9]{16}", endpoint["hook_id"])
    assert endpoint["settings"] == {"token": "********", "greeting": None}
    base = f"{operator.served.url}/e/{endpoint['hook_id']}"
    assert [(one["method"], one["url"]) for one in endpoint["urls"]] == [("GET", f"{base}/"), ("GET", f"{base}/other")]
    for path in ("/", "/other"):
        assert operator.told(endpoint, path) == {"first": {"token": SECRET, "greeting": "Hello"}}


def test_a_change_holds_for_the_next_request_and_no_worker_is_replaced(operator: Operator) -> None:
    one, two = operator.create("One"), operator.create("Two", settings={"token": "other"}, hook_id="chosen")
    worker = operator.act("start")["worker"]["pid"]
    changed = operator.change(one, settings={"greeting": "Hi"})
    assert changed["settings"] == {"token": "********", "greeting": "Hi"}
    assert operator.told(one) == {"first": {"token": SECRET, "greeting": "Hi"}}
    assert operator.told(two) == {"first": {"token": "other", "greeting": "Hello"}}
    moved = operator.change(one, hook_id="moved")
    assert operator.told(one) == "endpoint_unknown"
    assert operator.told(moved) == {"first": {"token": SECRET, "greeting": "Hi"}}
    assert operator.act("start")["worker"]["pid"] == worker


def test_requests_ask_no_database(operator: Operator) -> None:
    """Whoever asked it now would be told that it has no such table."""
    endpoint, off = operator.create("One"), operator.create("Two", enabled=False)
    tell = "ALTER TABLE {} RENAME TO {}".format
    with closing(sqlite3.connect(operator.served.state / "endpointd.db", timeout=10)) as database:
        database.execute(tell("endpoints", "elsewhere"))
        try:
            assert operator.told(endpoint) == {"first": {"token": SECRET, "greeting": "Hello"}}
            assert operator.told(off) == "endpoint_disabled"
            assert operator.told({"hook_id": "nobody"}) == "endpoint_unknown"
            with pytest.raises(OperatorError):
                operator.delete(endpoint)
        finally:
            database.execute(tell("elsewhere", "endpoints"))


def test_no_process_shows_a_secret(operator: Operator) -> None:
    endpoint = operator.create()
    assert operator.told(endpoint) == {"first": {"token": SECRET, "greeting": "Hello"}}
    daemon = operator.served.daemon.pid
    for pid in (daemon, *children(daemon)):
        for shown in ("cmdline", "environ"):
            assert SECRET.encode() not in Path(f"/proc/{pid}/{shown}").read_bytes()


def test_one_that_is_switched_off_or_deleted_is_not_there(operator: Operator) -> None:
    endpoint, other = operator.create("One"), operator.create("Two")
    operator.switch(endpoint, enabled=False)
    answer = operator.ask(endpoint)
    assert (answer.status, answer.code) == (404, "endpoint_disabled")
    operator.switch(endpoint, enabled=True)
    assert operator.ask(endpoint).status == 200
    operator.delete(endpoint)
    answer = operator.ask(endpoint)
    assert (answer.status, answer.code) == (404, "endpoint_unknown")
    assert operator.ask(other).status == 200


def test_an_endpoint_outlives_its_plugins_upgrade_rollback_and_removal(operator: Operator, shop: Shop) -> None:
    endpoint = operator.create()
    settings = {"token": SECRET, "greeting": "Hello"}
    put(shop, "second", TOKEN, GREETING)
    operator.comes_to_tell(endpoint, {"second": settings})
    operator.act("rollback", {"release": None})
    operator.comes_to_tell(endpoint, {"first": settings})
    shop.remove("teller")
    operator.comes_to_tell(endpoint, "plugin_unknown")
    assert operator.ask(endpoint).status == 404
    put(shop, "third", TOKEN, GREETING)
    operator.comes_to_tell(endpoint, {"third": settings})


def test_one_that_a_new_version_does_not_suit_says_so_and_others_go_on(operator: Operator, shop: Shop) -> None:
    lacking = operator.create("Lacking")
    region = {"name": "region", "type": "text-input", "required": True}
    put(shop, "second", TOKEN, GREETING, region)
    operator.comes_to_tell(lacking, "endpoint_incomplete")
    answer = operator.ask(lacking)
    assert (answer.status, json.loads(answer.body)["detail"]) == (
        503,
        "the endpoint's settings do not suit the plugin any more: region",
    )
    shown = operator.show(lacking)
    assert [fault["key"] for fault in shown["faults"]] == ["settings.region"]
    complete = operator.create("Complete", settings={"token": "other", "region": "north"})
    assert operator.told(complete)["second"]["region"] == "north"
    assert '"endpoint.incomplete"' in operator.served.daemon.wait_for_log("endpoint.incomplete")
    operator.change(lacking, settings={"region": "south"})
    assert operator.told(lacking) == {"second": {"token": SECRET, "greeting": "Hello", "region": "south"}}


def test_a_version_that_does_not_run_changes_nothing_for_the_endpoints(operator: Operator, shop: Shop) -> None:
    endpoint = operator.create()
    told = operator.told(endpoint)
    region = {"name": "region", "type": "text-input", "required": True}
    put(shop, "broken(", TOKEN, region)
    (shop.plugins / "teller" / "tells.py").write_text("raise RuntimeError('broken')\n")
    operator.served.daemon.wait_for_log("worker.failed")
    assert operator.told(endpoint) == told


def test_endpoints_are_there_after_kill_9_and_before_the_first_request(operator: Operator, serve: Serve) -> None:
    endpoint = operator.create()
    operator.served.daemon.kill()
    again = Operator(serve())
    assert again.told(endpoint) == {"first": {"token": SECRET, "greeting": "Hello"}}
    assert again.show(endpoint) | {"urls": []} == endpoint | {"urls": []}
    database = b"".join(file.read_bytes() for file in again.served.state.glob("endpointd.db*"))
    assert SECRET.encode() not in database


def test_an_operators_endpoint_keeps_its_hook_id_from_a_plugin_that_comes_later(operator: Operator, shop: Shop) -> None:
    endpoint = operator.create(hook_id="duck")
    shop.put("duck", "quack")
    operator.served.daemon.wait_for_log('"state": "RUNNING"')
    assert operator.told(endpoint)["first"]["token"] == SECRET
    operator.delete(endpoint)
    operator.served.comes_to_say("duck", "quack")
    with pytest.raises(EndpointInvalid) as caught:
        operator.create(hook_id="duck")
    assert [fault.code for fault in caught.value.faults] == ["hook_id_taken"]


def test_a_plugin_without_required_settings_has_its_own_endpoint_and_others_besides(
    operator: Operator, shop: Shop
) -> None:
    put(shop, "plain", GREETING, name="plain")
    own = {"hook_id": "plain"}
    operator.comes_to_tell(own, {"plain": {"greeting": "Hello"}})
    made = operator.create(plugin="test/plain", settings={"greeting": "Hi"})
    assert operator.told(made) == {"plain": {"greeting": "Hi"}}
    assert operator.told(own) == {"plain": {"greeting": "Hello"}}


def test_no_request_is_lost_while_endpoints_change(operator: Operator) -> None:
    endpoint = operator.create()
    ends, wrong = threading.Event(), []

    def load() -> None:
        while not ends.is_set():
            answer = operator.ask(endpoint)
            if answer.status != 200 or json.loads(answer.body)["first"]["token"] != SECRET:
                wrong.append(answer)

    clients = [threading.Thread(target=load) for _ in range(4)]
    for client in clients:
        client.start()
    try:
        for number in range(50):
            other = operator.create(f"Other {number}", settings={"token": str(number)})
            operator.change(endpoint, settings={"greeting": str(number)})
            assert operator.told(endpoint)["first"]["greeting"] == str(number)
            operator.delete(other)
    finally:
        ends.set()
        for client in clients:
            client.join()
    assert wrong == []


def test_a_daemon_with_another_key_does_not_start(operator: Operator, serve: Serve) -> None:
    operator.create()
    operator.served.daemon.stop()
    key = operator.served.state / "secret.key"
    kept = key.read_bytes()
    key.unlink()
    with pytest.raises(Exception, match="secret_key_missing"):
        serve()
    key.write_bytes(kept)
    key.chmod(0o600)
    assert serve().daemon.url


def test_a_damaged_database_is_told_and_left_alone(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    database = tmp_path / "state" / "endpointd.db"
    database.write_bytes(b"SQLite format 3\0" + b"nonsense" * 1000)
    before = database.read_bytes()
    with pytest.raises(Exception, match="database_corrupt"):
        serve()
    assert database.read_bytes() == before


def test_what_is_refused_tells_every_fault_and_no_value(operator: Operator) -> None:
    with pytest.raises(EndpointInvalid) as caught:
        operator.create("", settings={"greetin": SECRET}, hook_id="Not A Hook")
    assert sorted(fault.key for fault in caught.value.faults) == [
        "hook_id",
        "name",
        "settings.greetin",
        "settings.token",
    ]
    assert SECRET not in str(caught.value)
    with pytest.raises(OperatorError, match="teller"):
        operator.create(plugin="test/telle")
