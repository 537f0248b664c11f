"""Plugins that are written as the documentation has it, or as others are: what docs/compatibility.md promises them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from endpointd.testing import DaemonStarter, RunningDaemon
from support.gates import Gate
from support.plugins import write_plugin
from support.raw_http import Client, ask, plain

ANSWERS = """\
from dify_plugin import DifyPluginEnv, Endpoint, Plugin
from dify_plugin.config.logger_format import plugin_logger_handler
from dify_plugin.interfaces.endpoint import Endpoint as SameEndpoint
from werkzeug import Response

LARGE = bytes(range(256)) * 32768


class Answers(Endpoint):
    def _invoke(self, r, values, settings):
        if values["name"] == "value-error":
            raise ValueError("swordfish")
        if values["name"] == "headers":
            return Response(f"{r.host} {r.headers['X-Original-Host']} {r.headers['X-Real-Ip']} {r.remote_addr}")
        if values["name"] == "waits":
            return Response(open(path).read(1) for path in [r.args["gate"]])
        if values["name"] == "large":
            return Response((piece for piece in [LARGE]))
        return Response(f"{SameEndpoint is Endpoint} {sorted(settings.items())}")
"""
LARGE = bytes(range(256)) * 32768
TEXT = {"type": "text-input", "label": {"en_US": "Text"}}

# What the documentation's own example of a manifest leaves out or writes otherwise.
DOCUMENTED = """\
version: 0.0.1
type: plugin
author: Yeuoly
name: documented
label: {en_US: Documented, ja_Jp: Documented}
created_at: "2024-07-12T08:03:44.658609186Z"
icon: icon.svg
resource: {memory: 1048576}
plugins: {endpoints: [group.yaml, more.yaml]}
meta: {version: 0.0.1, arch: [amd64], runner: {language: python, version: "3.11", entrypoint: main}}
"""


def write_documented(plugins: Path) -> None:
    """A plugin with a manifest like the documentation's, two groups, and a `main.py` that must not be run."""
    settings = {"first": {**TEXT, "default": "1", "helper": {"en_US": "Help"}}}
    folder = write_plugin(plugins, "documented", {"a.py": ANSWERS}, [("GET", "/a/<name>", "a.py")], settings)
    (folder / "manifest.yaml").write_text(DOCUMENTED)
    (folder / "main.py").write_text("raise SystemExit('main.py was run')\n")
    inline = {"path": "/b/<name>", "method": "GET", "hidden": True, "extra": {"python": {"source": "a.py"}}}
    group = {"settings": [{**TEXT, "name": "second", "default": "2"}], "endpoints": [inline]}
    (folder / "more.yaml").write_text(yaml.safe_dump(group))


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDaemon]:
    plugins = tmp_path_factory.mktemp("plugins")
    write_documented(plugins)
    for name, setting in [
        ("closed", {**TEXT, "required": True}),
        ("open", {**TEXT, "required": True, "default": "given"}),
    ]:
        write_plugin(plugins, name, {"a.py": ANSWERS}, [("GET", "/a/<name>", "a.py")], {"text": setting})
    starter = DaemonStarter(tmp_path_factory.mktemp)
    config = tmp_path_factory.mktemp("config") / "endpointd.toml"
    config.write_text('[plugin."test/open"]\nvalue_error_is_404 = true\n')
    yield starter(plugins, config=config)
    starter.stop_all()


def test_a_manifest_like_the_documentations_is_served(daemon: RunningDaemon) -> None:
    assert ask(daemon.url, "/e/documented/a/x").status == 200
    assert "main.py was run" not in daemon.log()


@pytest.mark.parametrize("path", ["/a/x", "/b/x"])
def test_several_groups_share_their_settings(daemon: RunningDaemon, path: str) -> None:
    answer = ask(daemon.url, f"/e/documented{path}")
    assert answer.body == b"True [('first', '1'), ('second', '2')]"


def test_a_value_error_is_a_failure_and_not_a_404(daemon: RunningDaemon) -> None:
    answer = ask(daemon.url, "/e/documented/a/value-error")
    assert (answer.status, answer.code) == (500, "plugin_exception")
    assert b"swordfish" not in answer.body


def test_a_value_error_is_a_404_where_the_operator_says_so(daemon: RunningDaemon) -> None:
    answer = ask(daemon.url, "/e/open/a/value-error")
    assert (answer.status, answer.body) == (404, b"swordfish")
    daemon.wait_for_log("GET /a/value-error: 404 for ValueError: swordfish")


def test_a_piece_of_any_size_is_sent(daemon: RunningDaemon) -> None:
    assert ask(daemon.url, "/e/documented/a/large").body == LARGE


def test_the_head_does_not_wait_for_the_body(daemon: RunningDaemon, tmp_path: Path) -> None:
    with Gate(tmp_path / "gate") as gate, Client(daemon.url) as client:
        client.send(plain(f"/e/documented/a/waits?gate={gate.path}"))
        head = client.read_head()
        gate.open()
        assert (head.status, b"".join(client.pieces(head))) == (200, b".")


def test_no_header_of_a_client_names_another_host_or_peer(daemon: RunningDaemon) -> None:
    answer = ask(daemon.url, "/e/documented/a/headers", "X-Original-Host: evil.test", "X-Real-IP: 6.6.6.6")
    assert answer.body == b"daemon.test evil.test 6.6.6.6 127.0.0.1"


def test_a_hidden_interface_is_not_named(daemon: RunningDaemon) -> None:
    urls = {event["plugin"]: event["urls"] for event in daemon.events() if event["event"] == "plugin.served"}
    assert urls["Yeuoly/documented"] == [f"{daemon.url}/e/documented/a/<name>"]


def test_a_plugin_that_requires_a_setting_has_no_endpoint_of_its_own(daemon: RunningDaemon) -> None:
    assert ask(daemon.url, "/e/closed/a/x").code == "endpoint_unknown"
    reasons = [event["reasons"] for event in daemon.events() if event["event"] == "plugin.without_endpoint"]
    ((reason,),) = reasons
    create = "create one with 'endpointd endpoint create test/closed --name NAME --state /"
    assert reason.startswith(f"it has no endpoint of its own, because it requires settings: text; {create}")


def test_a_required_setting_with_a_default_has_it(daemon: RunningDaemon) -> None:
    assert ask(daemon.url, "/e/open/a/x").body == b"True [('text', 'given')]"
