"""Who may call an endpoint: addresses, rates, pages of other origins. One daemon, and a proxy that it trusts: the test,
whose clients have any address."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest

from endpointd.admin.client import Client as AdminClient
from endpointd.cli.applying import apply_file
from endpointd.endpoints.declaration import DeclarationInvalid
from endpointd.endpoints.errors import EndpointInvalid
from endpointd.testing import DaemonStarter, RunningDaemon
from support.plugins import write_plugin
from support.raw_http import Answer, Client, ask, chunked, plain

SAYS = """
from dify_plugin import Endpoint
from werkzeug import Response

class Says(Endpoint):
    def _invoke(self, r, values, settings):
        if "fail" in r.args:
            raise RuntimeError("no")
        size = len(r.get_data())
        pieces = iter([f"{r.method} ", f"{size}"]) if "stream" in r.args else f"{r.method} {size}"
        own = {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "X-Own"} if "own" in r.args else {}
        return Response(pieces, headers=own)
"""
APP, OTHER = "https://app.example.com", "https://other.example.com"
PREFLIGHT = ("Access-Control-Request-Method: POST", "Access-Control-Request-Headers: authorization")


@dataclass
class World:
    daemon: RunningDaemon
    state: Path
    _numbers: Iterator[int]

    def make(self, **rules: object) -> str:
        """The hook id of a new endpoint."""
        name = f"Made {next(self._numbers)}"
        with AdminClient(self.state) as client:
            return str(client.create_endpoint({"plugin": "test/says", "name": name, **rules})["hook_id"])

    def change(self, hook: str, **rules: object) -> None:
        with AdminClient(self.state) as client:
            [one] = [one for one in client.endpoints() if one["hook_id"] == hook]
            client.change_endpoint(one["id"], rules)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-P", "-m", "endpointd", *words, "--state", str(self.state)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def ask(self, hook: str, *headers: str, client: str = "192.0.2.1", path: str = "", **more: Any) -> Answer:  # noqa: ANN401
        return ask(self.daemon.url, f"/e/{hook}/{path}", f"X-Forwarded-For: {client}", *headers, **more)


@pytest.fixture(scope="module")
def world(start_daemon_for_module: DaemonStarter, tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("callers")
    routes = [(method, "/", "says.py") for method in ("GET", "POST", "OPTIONS")]
    write_plugin(folder / "plugins", "says", {"says.py": SAYS}, [*routes, ("GET", "/deep/", "says.py")])
    configuration = folder / "endpointd.toml"
    configuration.write_text('[plugin."test/says"]\nrate = "2/h"\ncors_origins = ["*"]\n')
    state = folder / "state"
    daemon = start_daemon_for_module(
        folder / "plugins", state=state, config=configuration, trusted_proxies="127.0.0.1", log_requests=True
    )
    return World(daemon, state, count())


def cors_of(answer: Answer) -> dict[str, str]:
    found = {key.decode().lower(): value.decode() for key, value in answer.headers}
    return {key.removeprefix("access-control-"): value for key, value in found.items() if key.startswith("access-")}


# Addresses


def test_only_addresses_of_the_list_are_answered(world: World) -> None:
    hook = world.make(allow_from=["192.0.2.0/24", "2001:db8::/32"], rate="unlimited", cors="none")
    for client in ("192.0.2.7", "2001:db8::7", "::ffff:192.0.2.9"):
        assert world.ask(hook, client=client).body == b"GET 0"
    for client in ("198.51.100.1", "2001:db9::1"):
        refused = world.ask(hook, client=client)
        assert (refused.status, refused.code) == (403, "address_not_allowed")
        assert "plugin" not in refused.json()
        assert not any(word in refused.body.decode() for word in (client, "192.0.2", "test/says"))
    # Neither is whoever is told nothing of: it is the proxy itself.
    assert ask(world.daemon.url, f"/e/{hook}/").code == "address_not_allowed"
    # Nor on any other way through the daemon.
    assert world.ask(hook, client="198.51.100.1", path="nowhere").code == "address_not_allowed"
    assert world.ask(hook, client="198.51.100.1", method="POST", body=b"x" * 300_000).code == "address_not_allowed"
    with Client(world.daemon.url) as client_:
        client_.send(plain(f"/e/{hook}/", "X-Forwarded-For: 198.51.100.1", method="HEAD"))
        assert client_.read("HEAD").status == 403
        client_.send(plain(f"/e/{hook}/", "X-Forwarded-For: 192.0.2.1", "Transfer-Encoding: chunked", method="POST"))
        client_.send(chunked(b"abc", b"de"))
        assert client_.read().body == b"POST 5"
    world.change(hook, allow_from="198.51.100.1")
    assert world.ask(hook, client="198.51.100.1").status == 200


@pytest.mark.parametrize(
    "said", ["127.0.0.1," * 1500 + "203.0.113.7", "203.0.113.7, unknown", "127.0.0.1, _hidden", ""]
)
def test_nobody_passes_for_the_proxy_that_names_them(world: World, said: str) -> None:
    hook = world.make(allow_from=["127.0.0.0/8", "unix"], rate="unlimited", cors="none")
    assert world.ask(hook, client=said).code == "address_not_allowed"
    assert world.ask(hook, client=said, method="POST", body=b"x" * 300_000).code == "address_not_allowed"
    assert ask(world.daemon.url, f"/e/{hook}/").body == b"GET 0"


# Rates


@pytest.mark.parametrize("path", ["", "?stream"])
def test_more_requests_than_the_rate_are_429_until_they_may_come(world: World, path: str) -> None:
    hook = world.make(rate="3/h burst 2", cors="none")
    assert [world.ask(hook, path=path).status for _ in range(3)] == [200, 200, 429]
    refused = world.ask(hook, path=path)
    assert refused.code == "rate_exceeded"
    assert 1190 <= int(refused.one("retry-after") or 0) <= 1200
    # Others have their own; of IPv6 a whole network is one.
    assert world.ask(hook, client="192.0.2.2").status == 200
    assert [world.ask(hook, client=f"2001:db8::{one}").status for one in (1, 2, 3)] == [200, 200, 429]
    # Bodies, other methods and paths that are not there are counted as well.
    assert world.ask(hook, method="POST", body=b"x" * 300_000).status == 429
    assert world.ask(hook, path="nowhere").status == 429
    # What was refused stays so when the endpoint is changed otherwise.
    world.change(hook, name="Renamed")
    assert world.ask(hook).status == 429
    world.change(hook, rate="unlimited")
    assert world.ask(hook).status == 200


def test_a_rate_may_be_for_all_together(world: World) -> None:
    hook = world.make(rate="1/h overall")
    assert [world.ask(hook, client=f"192.0.2.{one}").status for one in (1, 2)] == [200, 429]


def test_a_request_that_takes_the_general_way_is_counted_once(world: World) -> None:
    hook = world.make(rate="4/h")
    # With Expect it is never taken directly; a large one is given up by the direct path after its head was read.
    with Client(world.daemon.url) as client:
        head = plain(f"/e/{hook}/", "X-Forwarded-For: 192.0.2.1", "Content-Length: 300000", method="POST")
        for _ in range(4):
            client.send(head, b"x" * 300_000)
            assert client.read().body == b"POST 300000"
    assert world.ask(hook).status == 429


# Pages of other origins


def test_a_preflight_is_answered_without_the_plugin(world: World) -> None:
    hook = world.make(cors={"origins": [APP], "credentials": True}, rate="1/h")
    for _ in range(2):
        told = world.ask(hook, f"Origin: {APP}", *PREFLIGHT, method="OPTIONS")
        assert (told.status, told.body, told.one("vary")) == (204, b"", "Origin")
        assert cors_of(told) == {
            "allow-origin": APP,
            "allow-credentials": "true",
            "allow-methods": "GET, HEAD, POST, PUT, DELETE, OPTIONS",
            "allow-headers": "authorization",
            "max-age": "600",
        }
    refused = world.ask(hook, f"Origin: {OTHER}", *PREFLIGHT, method="OPTIONS")
    assert (refused.status, refused.code, cors_of(refused)) == (403, "origin_not_allowed", {})
    # One that is none is the plugin's, and was not counted before.
    assert world.ask(hook, f"Origin: {APP}", method="OPTIONS").body == b"OPTIONS 0"


@pytest.mark.parametrize("path", ["", "?stream"])
def test_answers_say_which_pages_may_read_them(world: World, path: str) -> None:
    hook = world.make(cors={"origins": [APP], "expose": ["X-Id"]}, rate="unlimited")
    for method in ("GET", "HEAD", "POST"):
        answer = world.ask(hook, f"Origin: {APP}", path=path, method=method)
        assert (answer.status, answer.one("vary")) == (200, "Origin")
        assert cors_of(answer) == {"allow-origin": APP, "expose-headers": "X-Id"}
    for headers in ([f"Origin: {OTHER}"], []):
        answer = world.ask(hook, *headers, path=path)
        assert (answer.status, answer.one("vary"), cors_of(answer)) == (200, "Origin", {})


def test_the_operators_rule_replaces_the_plugins_own(world: World) -> None:
    hook = world.make(cors={"origins": [APP]}, rate="unlimited")
    answer = world.ask(hook, f"Origin: {APP}", path="?own")
    assert cors_of(answer) == {"allow-origin": APP, "expose-headers": "X-Own"}
    assert cors_of(world.ask(hook, f"Origin: {OTHER}", path="?own")) == {"expose-headers": "X-Own"}
    world.change(hook, cors="none")
    assert cors_of(world.ask(hook, path="?own")) == {"allow-origin": "*", "expose-headers": "X-Own"}


def test_a_page_can_read_the_daemons_own_answers_too(world: World) -> None:
    hook = world.make(cors={"origins": [APP]}, rate="4/h")
    codes = [("?fail", 500), ("nowhere", 404), ("deep", 308), ("", 200), ("", 429)]
    for path, status in codes:
        answer = world.ask(hook, f"Origin: {APP}", path=path)
        assert (answer.status, answer.one("vary"), cors_of(answer)) == (status, "Origin", {"allow-origin": APP}), path
    world.change(hook, allow_from=["198.51.100.0/24"])
    answer = world.ask(hook, f"Origin: {APP}")
    assert (answer.code, answer.one("vary"), cors_of(answer)) == (
        "address_not_allowed",
        "Origin",
        {"allow-origin": APP},
    )


# Where rules come from


def test_a_plugins_own_endpoint_has_the_rules_of_the_settings(world: World) -> None:
    assert [world.ask("says").status for _ in range(3)] == [200, 200, 429]
    assert cors_of(world.ask("says")) == {"allow-origin": "*"}


def test_faults_are_told_at_once(world: World) -> None:
    with pytest.raises(EndpointInvalid) as caught:
        world.make(hook_id="Not A Hook", allow_from=["x"], rate=7, cors={"origin": "*"})
    keys = ["hook_id", "allow_from", "rate", "cors.origin", "cors.origins"]
    assert [fault.key for fault in caught.value.faults] == keys
    assert caught.value.faults[3].remedy == "did you mean 'origins'?"


def test_commands_give_and_show_rules(world: World) -> None:
    rules = ["--allow-from", "192.0.2.0/24", "--rate", "10/s burst 20", "--cors", f"origins={APP}"]
    made = world.run("endpoint", "create", "says", "--name", "Typed", *rules)
    assert made.returncode == 0, made.stderr
    assert (
        "callers   192.0.2.0/24\nrate      10/s burst 20\ncors      origins = https://app.example.com\n" in made.stdout
    )
    changed = world.run("endpoint", "update", "Typed", "--cors", "max_age=60", "--rate", "", "--json")
    document = json.loads(changed.stdout)
    assert document["cors"] == {"origins": [APP], "max_age": 60}
    assert (document["allow_from"], document["rate"]) == (["192.0.2.0/24"], None)


def test_a_file_declares_rules_and_takes_them_away(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "endpoints.yaml"

    def apply() -> str:
        with AdminClient(world.state) as client:
            apply_file(client, file, dry_run=False, json=False)
        return capsys.readouterr().out

    own = "  - plugin: test/says\n    name: Declared\n    hook_id: declared\n"
    own += f"    cors: {{origins: [{APP}], max_age: 5}}\n"
    file.write_text(f"endpoints:\n{own}    rate: 1/h\n    allow_from:\n      - 192.0.2.1\n")
    apply()
    assert [world.ask("declared").status for _ in range(2)] == [200, 429]
    assert world.ask("declared", client="192.0.2.2").status == 403
    assert "1 endpoint as declared already, 0 made" in apply()
    file.write_text(f"endpoints:\n{own}")
    assert "test/says:Declared (declared): allow_from, rate\n" in apply()
    assert world.ask("declared", client="192.0.2.2").status == 200
    file.write_text(f"endpoints:\n{own.replace('max_age: 5', 'max_age: long')}    rates: 1/h\n")
    with pytest.raises(DeclarationInvalid) as caught:
        apply()
    assert [(one.key, one.line) for one in caught.value.findings] == [
        ("endpoints[0].cors.max_age", 5),
        ("endpoints[0].rates", 6),
    ]


def test_refusals_are_counted_for_the_plugin_and_logged(world: World) -> None:
    hook = world.make(allow_from=["unix"])
    refused = world.ask(hook).json()
    event = json.loads(world.daemon.wait_for_log(refused["request_id"]))
    assert (event["plugin"], event["client"], event["code"]) == ("test/says", "192.0.2.1", "address_not_allowed")
    assert event["endpoint"].startswith("Made ")
    transport = httpx.HTTPTransport(uds=str(world.state / "endpointd.sock"))
    with httpx.Client(transport=transport, base_url="http://endpointd") as client:
        metrics = client.get("/metrics").text
    assert 'endpointd_refusals_total{code="address_not_allowed",plugin="test/says"}' in metrics
