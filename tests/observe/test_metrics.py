"""What a real daemon tells to those who watch over it: /metrics, /healthz and /readyz."""

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families

from endpointd.observe.metrics import Sources, families
from endpointd.observe.observation import Observation
from endpointd.sessions.tally import Tallies
from endpointd.settings.settings import Settings
from endpointd.testing import DaemonStarter, RunningDaemon
from support.catalogue import kill_worker, write_catalogue, write_misbehaving
from support.eventually import eventually
from support.plugins import write_plugin
from support.raw_http import ask

DASHBOARD = Path(__file__).parents[2] / "deploy" / "grafana" / "endpointd.json"

SIZES = """
from dify_plugin import Endpoint
from werkzeug import Response

class Sizes(Endpoint):
    def _invoke(self, r, values, settings):
        r.get_data()
        if "store" in r.args:
            self.session.storage.set("key", b"value")
        if "stream" in r.args:
            # In more than one piece, the last of which comes after the first.
            return Response(iter([bytes(200_000), bytes(200_000)]))
        return Response(b"x" * 100, status=int(r.args.get("status", 200)))
"""


class Watched:
    """A daemon, and what it tells on its socket."""

    def __init__(self, daemon: RunningDaemon, state: Path) -> None:
        self.daemon = daemon
        transport = httpx.HTTPTransport(uds=str(state / "endpointd.sock"))
        self.http = httpx.Client(transport=transport, base_url="http://endpointd", timeout=10)

    def samples(self) -> dict[str, float]:
        """The values by the samples' names with their labels, as `name{a=b,c=d}`."""
        answer = self.http.get("/metrics")
        assert answer.status_code == 200
        return {
            f"{one.name}{{{','.join(f'{key}={value}' for key, value in sorted(one.labels.items()))}}}": one.value
            for family in text_string_to_metric_families(answer.text)
            for one in family.samples
        }


@pytest.fixture
def watched(start_daemon: DaemonStarter, tmp_path: Path) -> Iterator[Watched]:
    plugins = write_catalogue(tmp_path / "plugins")
    write_plugin(
        plugins,
        "sizes",
        {"source.py": SIZES},
        [("POST", "/", "source.py"), ("GET", "/", "source.py")],
        permission={"storage": {"enabled": True, "size": 1024 * 1024}},
    )
    (plugins / "half").mkdir()
    (plugins / "half" / "manifest.yaml").write_text("{}")
    state = tmp_path / "state"
    watched = Watched(start_daemon(plugins, state=state, public_health=True, limit_body=1000), state)
    with watched.http:
        yield watched


def test_what_was_asked_and_answered_is_counted(watched: Watched) -> None:
    url = watched.daemon.url
    ask(url, "/e/sizes/", method="POST", body=b"12345")
    ask(url, "/e/sizes/?stream=1")
    ask(url, "/e/sizes/?status=418")
    ask(url, "/e/sizes/none")
    ask(url, "/e/sizes/?store=1")
    ask(url, "/e/sizes/", method="POST", body=bytes(1001))
    samples = watched.samples()
    plugin = "plugin=test/sizes"
    assert samples[f"endpointd_requests_total{{{plugin},status=2xx}}"] == 3
    assert samples[f"endpointd_requests_total{{{plugin},status=4xx}}"] == 2
    assert samples[f"endpointd_refusals_total{{code=limit_body,{plugin}}}"] == 1
    assert samples["endpointd_requests_total{plugin=,status=4xx}"] == 1
    assert samples["endpointd_refusals_total{code=interface_unknown,plugin=}"] == 1
    assert samples[f"endpointd_request_bytes_total{{{plugin}}}"] == 5
    assert samples[f"endpointd_response_bytes_total{{{plugin}}}"] == 400_300
    for name, number in (("queue", 5), ("first_byte", 4), ("request", 5)):
        assert samples[f"endpointd_{name}_seconds_count{{{plugin}}}"] == number, name
        assert samples[f"endpointd_{name}_seconds_bucket{{le=+Inf,{plugin}}}"] == number, name
    assert samples[f"endpointd_first_byte_seconds_sum{{{plugin}}}"] > 0
    assert (
        samples[f"endpointd_first_byte_seconds_sum{{{plugin}}}"] < samples[f"endpointd_request_seconds_sum{{{plugin}}}"]
    )
    assert samples[f"endpointd_queue_seconds_sum{{{plugin}}}"] == 0
    assert samples[f"endpointd_session_calls_total{{end=answered,kind=storage,{plugin}}}"] == 1
    assert samples["endpointd_store_seconds_count{}"] > 0
    assert samples["endpointd_folders_refused{}"] == 1


def test_what_became_of_the_workers_is_counted(watched: Watched) -> None:
    before = watched.samples()
    assert before["endpointd_plugin_state{plugin=test/bystander,state=RUNNING}"] == 1
    assert before["endpointd_worker_resident_memory_bytes{plugin=test/bystander}"] > 1e6
    assert before["endpointd_worker_restarts_total{plugin=test/bystander}"] == 0
    assert before["endpointd_resident_memory_bytes{}"] > 1e6
    kill_worker(watched.daemon, "bystander")
    eventually(lambda: watched.samples()["endpointd_worker_restarts_total{plugin=test/bystander}"] == 1)
    causes = {name: value for name, value in watched.samples().items() if name.startswith("endpointd_worker_failures")}
    assert causes == {"endpointd_worker_failures_total{cause=worker_died,plugin=test/bystander}": 1}
    eventually(lambda: watched.samples()["endpointd_event_loop_lag_seconds_count{}"] > 0)


def test_a_plugin_whose_folder_is_broken_is_a_number_to_be_alarmed_by(watched: Watched, tmp_path: Path) -> None:
    name = "endpointd_plugin_behind{plugin=test/sizes}"
    assert watched.samples()[name] == 0
    source = tmp_path / "plugins" / "sizes" / "source.py"
    source.write_text(SIZES + "class (")
    eventually(lambda: watched.samples()[name] == 1)
    source.write_text(SIZES)
    eventually(lambda: watched.samples()[name] == 0)


def test_nobody_can_invent_a_label(watched: Watched) -> None:
    """Neither by paths and hook ids nor by methods and statuses: the number of samples stays what it was."""
    for status in (201, 404, 503):
        ask(watched.daemon.url, f"/e/sizes/?status={status}")
    ask(watched.daemon.url, "/e/none/")
    before = len(watched.samples())
    for number in range(20):
        ask(watched.daemon.url, f"/e/none{number}/")
        ask(watched.daemon.url, f"/e/sizes/?status={210 + number}")
    assert len(watched.samples()) == before


def test_others_have_a_turn_before_each_metric_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of hundreds of plugins they take tens of milliseconds, and requests are not to wait for all of them."""
    nothing: Any = SimpleNamespace(served={}, entries={})
    observation = Observation(nothing, Tallies(), Settings, dict)
    turns = 0
    seen = []

    def made(sources: Sources) -> Iterator[Metric]:
        for metric in families(sources):
            seen.append(turns)
            yield metric

    async def take_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def scenario() -> None:
        others = asyncio.create_task(take_turns())
        await observation.metrics()
        others.cancel()

    monkeypatch.setattr("endpointd.observe.metrics.families", made)
    asyncio.run(scenario())
    assert len(set(seen)) == len(seen) > 20


def test_the_calls_of_a_plugin_that_is_gone_are_forgotten() -> None:
    """As all that is counted of it: they begin again when it comes back."""
    running: Any = SimpleNamespace(supervisor=SimpleNamespace(is_waking=False, life=SimpleNamespace(state="RUNNING")))
    plugins: Any = SimpleNamespace(served={"acme/stays": running, "acme/goes": running}, entries={})
    calls = Tallies()
    observation = Observation(plugins, calls, Settings, dict)
    for plugin in plugins.served:
        calls.of(plugin, "storage").begin()
    observation.look(0.0)
    assert len(calls) == 2
    del plugins.served["acme/goes"]
    observation.look(0.0)
    assert [*calls] == [("acme/stays", "storage")]


def test_health_is_told_to_all_and_names_nobody(watched: Watched) -> None:
    for ask_for in (watched.http.get, lambda path: httpx.get(watched.daemon.url + path)):
        assert ask_for("/healthz").text == "alive\n"
        answer = ask_for("/readyz")
        assert (answer.status_code, answer.text) == (200, "ready: 2 running, 0 starting, 1 broken\n")
    assert ask(watched.daemon.url, "/metrics").status == 404


def test_over_the_network_metrics_need_a_token_and_health_does_not(start_daemon: DaemonStarter, tmp_path: Path) -> None:
    plugins = write_misbehaving(tmp_path / "plugins", "broken", "import nothing_like_it").parent
    settings: dict[str, Any] = {"admin_listen": "127.0.0.1:0", "restart_limit": 1, "ready_when": "running"}
    daemon = start_daemon(plugins, state=tmp_path / "state", **settings)
    daemon.wait_for_log("admin.listening")
    [url] = [event["url"] for event in daemon.events() if event["event"] == "admin.listening"]
    assert httpx.get(url + "/healthz").status_code == 200
    answer = httpx.get(url + "/readyz")
    assert (answer.status_code, answer.text) == (503, "not ready: 0 running, 0 starting, 1 broken\n")
    assert httpx.get(url + "/metrics").status_code == 401
    assert httpx.get(daemon.url + "/healthz").status_code == 404
    with httpx.Client(transport=httpx.HTTPTransport(uds=str(tmp_path / "state" / "endpointd.sock"))) as http:
        secret = http.post("http://endpointd/api/v1/tokens", json={"name": "prometheus"}).json()["secret"]
    answer = httpx.get(url + "/metrics", headers={"Authorization": f"Bearer {secret}"})
    assert "endpointd_ready 0.0" in answer.text


def test_the_dashboard_asks_for_metrics_that_there_are(watched: Watched) -> None:
    text = watched.http.get("/metrics").text
    kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
    there = {name for name, kind in kinds.items() if kind != "histogram"}
    there |= {
        name + end for name, kind in kinds.items() if kind == "histogram" for end in ("_bucket", "_sum", "_count")
    }
    dashboard = json.loads(DASHBOARD.read_text())
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    queries += [one["definition"] for one in dashboard["templating"]["list"] if "definition" in one]
    asked = {name for query in queries for name in re.findall(r"endpointd_\w+", query)}
    assert len(asked) > 15
    assert asked <= there
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(ids) == len(set(ids))
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in dashboard["panels"]]
    assert len(places) == len(set(places))
