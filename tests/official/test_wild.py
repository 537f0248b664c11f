"""Plugins as they exist, with Dify's SDK, served by a daemon: through their whole life, and beside the SDK's own
runtime, which answers the same requests the same way but for what docs/compatibility.md says."""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from endpointd.admin.client import Client as Admin
from endpointd.testing import DaemonStarter, RunningDaemon
from official.wild import CASES, JSON, SETTINGS, Case
from support.eventually import eventually
from support.original import OriginalAnswer, original_runtime
from support.raw_http import Answer, Broken, Client, ask, plain
from support.sdks import NEWEST, interpreter_for

# Packages may have to be fetched first.
pytestmark = pytest.mark.timeout(300)

PLUGINS = Path(__file__).with_name("plugins")
COMPATIBILITY = Path(__file__).parents[2] / "docs" / "compatibility.md"
START_SECONDS = 90.0
CONFIG = """\
[plugin."pond/knowledge_base"]
value_error_is_404 = true
[plugin."pond/oddities"]
clock_first_byte = 1
clock_cancel_grace = 0.2
clock_drain = 1
"""
UNCOMPARED = frozenset({"transfer-encoding", "connection", "date", "server", "etag"})
"""Headers that are the host's own business; and what werkzeug makes of a file's path, which is another one in a
release."""


class Pond:
    """The daemon that serves them all."""

    def __init__(self, daemon: RunningDaemon, plugins: Path, state: Path) -> None:
        self.daemon = daemon
        self.plugins = plugins
        self._state = state

    def statuses(self) -> dict[str, dict[str, Any]]:
        with Admin(self._state) as admin:
            return {str(one["folder"]): one for one in admin.plugins()}

    def await_running(self, names: set[str], unlike: Mapping[str, str | None] | None = None) -> None:
        """Wait until these run, and no others in their place, and in other releases than those of `unlike`."""
        unlike = unlike or {}

        def runs(one: dict[str, Any]) -> bool:
            is_new = one["release"] != unlike.get(one["folder"])
            return one["state"] == "RUNNING" and one["replacing"] is None and is_new

        try:
            eventually(lambda: all(runs(self.statuses()[name]) for name in names), START_SECONDS)
        except AssertionError:
            states = {name: [one["state"], one["replacing"]] for name, one in self.statuses().items()}
            raise AssertionError(f"{states}\n{self.daemon.log()}") from None

    def python(self, name: str) -> Path:
        """The interpreter of the plugin's environment."""
        worker = self.statuses()[name]["worker"]
        return Path(Path(f"/proc/{worker['pid']}/cmdline").read_bytes().split(b"\0")[0].decode())

    def ask(self, name: str, case: Case) -> Answer:
        lines = [f"{key}: {value}" for key, value in case.headers]
        return ask(self.daemon.url, f"/e/{name}{case.target}", *lines, method=case.method, body=case.body)


def is_for_newest(name: str) -> bool:
    return NEWEST.removesuffix(".*") in (PLUGINS / name / "requirements.txt").read_text()


@pytest.fixture(scope="module")
def pond(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pond]:
    root = tmp_path_factory.mktemp("pond")
    plugins = root / "plugins"
    shutil.copytree(PLUGINS, plugins)
    declared = [
        {"plugin": f"pond/{name}", "name": name, "hook_id": name, "settings": settings}
        for name, settings in SETTINGS.items()
        if name != "page"
    ]
    (root / "endpoints.yaml").write_text(yaml.safe_dump({"endpoints": declared}))
    cache = os.environ.get("UV_CACHE_DIR") or Path.home() / ".cache" / "uv"
    starter = DaemonStarter(tmp_path_factory.mktemp)
    state = root / "state"
    (root / "endpointd.toml").write_text(CONFIG)
    config, endpoints = root / "endpointd.toml", root / "endpoints.yaml"
    daemon = starter(plugins, state=state, config=config, endpoints_file=endpoints, uv_cache=cache)
    pond = Pond(daemon, plugins, state)
    yield pond
    # Eight workers end, on a machine that may have others to serve.
    assert daemon.stop(START_SECONDS) == 0, daemon.log()


@pytest.fixture
def served(pond: Pond, request: pytest.FixtureRequest) -> str:
    """The name of a plugin that runs."""
    name: str = request.param
    if is_for_newest(name):
        interpreter_for(NEWEST)
    pond.await_running({name})
    return name


# Beside the SDK's own runtime


@pytest.mark.parametrize("served", CASES, indirect=True)
def test_answers_are_those_of_the_sdks_own_runtime(pond: Pond, served: str) -> None:
    with original_runtime(pond.plugins / served, pond.python(served), nobody_answers) as original:
        for case in CASES[served]:
            theirs = original.ask(case.method, case.target, case.headers, case.body or b"", SETTINGS.get(served))
            try:
                compare(case, pond.ask(served, case), theirs)
            except Broken:
                assert case.different is not None, case
                assert case.different.status is None, case


def compare(case: Case, ours: Answer, theirs: OriginalAnswer) -> None:
    if case.different is not None:
        assert f"| {case.different.row} |" in COMPATIBILITY.read_text()
        assert ours.status == (case.different.status or 500), (case, ours)
        assert not is_same(ours, theirs), (case, theirs)
        assert (case.different.body or b"") in ours.body, (case, ours)
        return
    assert is_same(ours, theirs), (case, ours, theirs)


def is_same(ours: Answer, theirs: OriginalAnswer) -> bool:
    headers = {name.lower(): [value] for name, value in theirs.headers.items()}
    return (
        theirs.error is None
        and (ours.status, ours.body) == (theirs.status, theirs.body)
        and all(ours.all(name) == values for name, values in headers.items() if name not in UNCOMPARED)
    )


def nobody_answers(kind: str, _: dict[str, Any]) -> Iterator[dict[str, Any]]:
    raise RuntimeError(f"nobody answers {kind}")


# What takes longer than one request


@pytest.mark.parametrize("served", ["mcp_server"], indirect=True)
def test_a_stream_lives_as_long_as_its_client(pond: Pond, served: str) -> None:
    def tell() -> int:
        request = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
        body = json.dumps(request).encode()
        return pond.ask(served, Case("POST", "/messages/abcdefgh", (JSON,), body)).status

    with Client(pond.daemon.url) as client:
        client.send(plain(f"/e/{served}/sse?client=abcdefgh"))
        head = client.read_head()
        assert head.one("content-type") == "text/event-stream"
        pieces = client.pieces(head)
        assert next(pieces) == b"event: endpoint\ndata: messages/abcdefgh\n\n"
        assert tell() == 202
        said = next(piece for piece in pieces if not piece.startswith(b": ping"))
        assert b'"quack"' in said
    # Its generator was closed, and has put the client off the list.
    eventually(lambda: tell() == 410, 10)


@pytest.mark.parametrize("served", ["cron"], indirect=True)
def test_a_thread_works_on_with_the_session_of_a_request_that_is_over(pond: Pond, served: str) -> None:
    assert pond.ask(served, Case("POST", "/start?job=sweep")).status == 202
    wanted = {"alive": True, "counts": True, "errors": []}
    eventually(lambda: pond.ask(served, Case("GET", "/state?job=sweep")).json() == wanted, 10)


@pytest.mark.parametrize("served", ["oddities"], indirect=True)
def test_a_worker_that_computes_for_ever_is_replaced_by_the_clock_of_its_request(pond: Pond, served: str) -> None:
    before = pond.statuses()[served]["worker"]["pid"]
    answer = pond.ask(served, Case("GET", "/odd/computes/"))
    assert (answer.status, answer.code) == (504, "clock_first_byte")

    def is_replaced() -> bool:
        worker = pond.statuses()[served]["worker"]
        return worker is not None and worker["pid"] != before

    eventually(is_replaced, START_SECONDS)
    pond.await_running({served})
    assert pond.ask(served, Case("GET", "/odd/cookies/")).status == 200


# A whole life


def test_every_plugin_is_replaced_when_it_is_edited_and_goes_when_it_is_removed(pond: Pond) -> None:
    names = {name for name in CASES if not is_for_newest(name) or has_newest()}
    pond.await_running(names)
    before = {name: pond.statuses()[name]["release"] for name in names}
    for name in names:
        source = next((pond.plugins / name / "endpoints").glob("*.py"))
        edited = source.with_name(".edited.swp")
        edited.write_text(source.read_text() + "\n# edited\n")
        edited.rename(source)
    pond.await_running(names, before)
    for name in names:
        assert pond.ask(name, CASES[name][0]).status in (200, 500 if name == "oddities" else 200)
    broken = pond.plugins / "bot-bridge" / "endpoints" / "bot-bridge.py"
    broken.write_text("import nothing_of_the_kind\n")
    pond.daemon.wait_for_log("nothing_of_the_kind", START_SECONDS)
    assert pond.ask("bot-bridge", CASES["bot-bridge"][0]).status == 200
    shutil.rmtree(pond.plugins / "bot-bridge")
    eventually(lambda: pond.ask("bot-bridge", CASES["bot-bridge"][0]).status == 404, 10)


def has_newest() -> bool:
    try:
        interpreter_for(NEWEST)
    except pytest.skip.Exception:
        return False
    return True
