"""A real daemon, traced: what a collector of OpenTelemetry's protocol gets, and what the plugin is told."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread
from typing import Any, NamedTuple

import httpx
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from endpointd.testing import DaemonStarter, RunningDaemon
from endpointd.tracing.exporting import FLUSH, Bounded, Counting
from support.collector import Collector, collector
from support.eventually import eventually
from support.gates import Gate
from support.plugins import write_plugin
from support.raw_http import Client, ask

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"
PARENT = f"traceparent: 00-{TRACE}-{SPAN}-01"
SERVER = 2

TELLS = """
import json
from pathlib import Path
from dify_plugin import Endpoint
from werkzeug import Response

class Tells(Endpoint):
    def _invoke(self, r, values, settings):
        if "store" in r.args:
            self.session.storage.set("key", b"value")
        if "gate" in r.args:
            Path(r.args["gate"]).open("rb", buffering=0).read(1)
        if "fail" in r.args:
            raise ValueError("secret")
        told = [[key, value] for key, value in r.headers if key.lower().startswith("trace")]
        if "stream" in r.args:
            return Response(iter([json.dumps(told)]))
        return Response(json.dumps(told))
"""


class Traced(NamedTuple):
    daemon: RunningDaemon
    to: Collector
    state: Path

    def told(self, query: str, *headers: str) -> dict[str, str]:
        """What the plugin is told of the trace."""
        answer = ask(self.daemon.url, f"/e/tells/say/a-path?{query}", *headers)
        assert answer.status == 200, answer.body
        pairs = json.loads(answer.body)
        assert len({key for key, _ in pairs}) == len(pairs)
        return {key.lower(): value for key, value in pairs}

    def logged(self, trace: str) -> dict[str, Any]:
        """The request log's line of that trace."""
        eventually(lambda: bool(self._logged(trace)))
        return self._logged(trace)[0]

    def _logged(self, trace: str) -> list[dict[str, Any]]:
        return [one for one in self.daemon.events() if one["event"] == "request.served" and one.get("trace") == trace]

    def metrics(self) -> str:
        transport = httpx.HTTPTransport(uds=str(self.state / "endpointd.sock"))
        with httpx.Client(transport=transport, base_url="http://endpointd", timeout=10) as http:
            return http.get("/metrics").text


def write_tells(folder: Path) -> Path:
    permission = {"storage": {"enabled": True, "size": 1024 * 1024}}
    write_plugin(folder, "tells", {"t.py": TELLS}, [("GET", "/say/<what>", "t.py")], permission=permission)
    return folder


@pytest.fixture(scope="module")
def traced(start_daemon_for_module: DaemonStarter, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Traced]:
    folder = tmp_path_factory.mktemp("traced")
    with collector() as to:
        daemon = start_daemon_for_module(
            write_tells(folder / "plugins"),
            env={
                "OTEL_BSP_SCHEDULE_DELAY": "50",
                "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Basic%20abc",
                "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=test",
            },
            state=folder / "state",
            trace_url=to.url,
            log_requests=True,
            concurrency=1,
        )
        yield Traced(daemon, to, folder / "state")
        daemon.stop()


def parts(traceparent: str) -> tuple[str, str]:
    version, trace, span, flags = traceparent.split("-")
    assert version == "00"
    assert int(flags, 16) & 1
    return trace, span


def test_a_request_is_a_span_that_its_plugin_has_for_parent(traced: Traced) -> None:
    told = traced.told("token=secret&store=1", PARENT, "tracestate: vendor=1", "tracestate: other=2")
    trace, span = parts(told["traceparent"])
    assert trace == TRACE
    assert told["tracestate"] == "vendor=1,other=2"
    spans = traced.to.of(TRACE, 3)
    request = spans["GET /say/<what>"]
    assert (request.id, request.parent, request.kind, request.error) == (span, SPAN, SERVER, False)
    fields = request.attributes
    assert fields.pop("endpointd.request")
    assert fields == {
        "http.request.method": "GET",
        "http.route": "/say/<what>",
        "http.response.status_code": 200,
        "url.scheme": "http",
        "network.protocol.version": "1.1",
        "client.address": "127.0.0.1",
        "endpointd.plugin": "test/tells",
        "endpointd.endpoint": "tells",
    }
    assert {one.parent for name, one in spans.items() if one is not request} == {span}
    for name in ("first byte", "session storage"):
        assert request.start - 0.001 <= spans[name].start <= spans[name].end <= request.end + 0.001
    assert spans["session storage"].attributes == {"endpointd.plugin": "test/tells", "endpointd.call": "storage"}
    assert traced.logged(TRACE)["status"] == 200
    assert traced.to.paths == {"/v1/traces"}
    assert traced.to.headers["authorization"] == "Basic abc"
    assert traced.to.resource["service.name"] == "endpointd"
    assert traced.to.resource["deployment.environment.name"] == "test"


def test_without_a_parent_a_trace_begins(traced: Traced) -> None:
    """Also with one that is none: two of them, or one that cannot be read; its state is then of no use."""
    seen = set()
    for headers in ([], [PARENT, PARENT], ["traceparent: 00-zz-1-01", "tracestate: a=1"], ["tracestate: a=1"]):
        told = traced.told("stream=1", *headers)
        assert set(told) == {"traceparent"}
        trace, span = parts(told["traceparent"])
        request = traced.to.of(trace, 2)["GET /say/<what>"]
        assert (request.id, request.parent) == (span, "")
        seen.add(trace)
    assert len(seen - {TRACE}) == 4


def test_what_a_client_does_not_want_recorded_is_not(traced: Traced) -> None:
    trace = TRACE.replace("4", "5")
    told = traced.told("", f"traceparent: 00-{trace}-{SPAN}-00", "tracestate: a=1")
    assert told["traceparent"].startswith(f"00-{trace}-")
    assert told["traceparent"].endswith("-00")
    assert told["tracestate"] == "a=1"
    # What comes after it has come, and it has not.
    after, _ = parts(traced.told("")["traceparent"])
    traced.to.of(after, 2)
    assert trace not in {span.trace for span in traced.to.spans}
    assert traced.logged(trace)["status"] == 200


def test_the_wait_for_a_place_is_a_span(traced: Traced, tmp_path: Path) -> None:
    first, second = TRACE.replace("4", "6"), TRACE.replace("4", "7")
    with Gate(tmp_path / "gate") as gate:
        asked = [
            Thread(
                target=ask, args=(traced.daemon.url, f"/e/tells/say/it?gate={gate.path}", PARENT.replace(TRACE, trace))
            )
            for trace in (first, second)
        ]
        asked[0].start()
        eventually(lambda: 'endpointd_requests_in_flight{plugin="test/tells"} 1.0' in traced.metrics())
        asked[1].start()
        eventually(lambda: 'endpointd_requests_queued{plugin="test/tells"} 1.0' in traced.metrics())
        gate.open(2)
        for thread in asked:
            thread.join()
    assert "queue" not in traced.to.of(first, 2)
    spans = traced.to.of(second, 3)
    request, queue, answer = spans["GET /say/<what>"], spans["queue"], spans["first byte"]
    assert request.start - 0.001 <= queue.start < queue.end <= answer.start + 0.001
    assert answer.end <= request.end + 0.001
    assert request.end - request.start >= queue.end - queue.start
    assert queue.parent == request.id


@pytest.mark.parametrize(
    ("target", "name", "status", "route", "error"),
    [
        ("/e/tells/say/it?fail=1", "GET /say/<what>", 500, "/say/<what>", "plugin_exception"),
        ("/e/tells/none", "GET", 404, None, None),
        ("/e/secret-hook/", "GET", 404, None, None),
    ],
)
def test_what_goes_wrong(
    traced: Traced, target: str, name: str, status: int, route: str | None, error: str | None
) -> None:
    trace = f"{hash(target) & (1 << 128) - 1 | 1:032x}"
    assert ask(traced.daemon.url, target, PARENT.replace(TRACE, trace)).status == status
    request = traced.to.of(trace, 1 if route is None else 2)[name]
    assert request.attributes["http.response.status_code"] == status
    assert request.attributes.get("http.route") == route
    assert (request.attributes.get("error.type"), request.error) == (error, error is not None)
    assert "secret" not in str(request)


def test_an_answer_that_breaks_off_is_an_error(traced: Traced, tmp_path: Path) -> None:
    """The client leaves before there is an answer: that is in the span, and is not the server's error."""
    trace = TRACE.replace("4", "8")
    with Gate(tmp_path / "gate") as gate, Client(traced.daemon.url) as client:
        head = f"GET /e/tells/say/it?gate={gate.path} HTTP/1.1\r\nHost: h\r\n{PARENT.replace(TRACE, trace)}\r\n\r\n"
        client.send(head.encode())
        eventually(lambda: 'endpointd_requests_in_flight{plugin="test/tells"} 1.0' in traced.metrics())
        client.close()
        # The daemon has seen that when it has answered somebody who came later; the plugin goes on until then.
        traced.metrics()
        gate.open()
        spans = traced.to.of(trace, 2)
    request = spans["GET /say/<what>"]
    assert (request.attributes["endpointd.end"], request.error) == ("gone", False)
    assert traced.metrics().count('endpointd_trace_spans_total{end="failed"} 0.0') == 1


def test_a_client_s_trace_can_be_linked_instead(start_daemon: DaemonStarter, tmp_path: Path) -> None:
    """What is left is sent when the daemon stops, long before it would be."""
    with collector() as to:
        plugins = write_tells(tmp_path / "plugins")
        daemon = start_daemon(plugins, state=tmp_path / "state", trace_url=f"{to.url}/own/path", trace_parent="link")
        told = Traced(daemon, to, tmp_path / "state").told("", PARENT, "tracestate: a=1")
        trace, span = parts(told["traceparent"])
        assert trace != TRACE
        assert "tracestate" not in told
        assert daemon.stop() == 0
        request = to.of(trace, 2)["GET /say/<what>"]
        assert (request.id, request.parent, request.links) == (span, "", [TRACE])
        assert to.paths == {"/own/path"}


def test_a_collector_that_refuses_or_hangs_harms_nobody(start_daemon: DaemonStarter, tmp_path: Path) -> None:
    with collector() as to:
        to.status = 403
        daemon = start_daemon(
            write_tells(tmp_path / "plugins"),
            env={
                "OTEL_BSP_SCHEDULE_DELAY": "50",
                "OTEL_BSP_MAX_QUEUE_SIZE": "10",
                "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "5",
            },
            state=tmp_path / "state",
            trace_url=to.url,
        )
        watched = Traced(daemon, to, tmp_path / "state")
        watched.told("")
        line = json.loads(daemon.wait_for_log("tracing.spans_lost"))
        assert (line["level"], line["spans"], line["failed"]) == ("warning", line["failed"], line["failed"])
        assert "403" in line["because"]
        eventually(lambda: 'endpointd_trace_spans_total{end="failed"} 2.0' in watched.metrics())

        to.gate.clear()
        to.asked.clear()
        for _ in range(10):
            watched.told("")
        assert to.asked.wait(10)
        # Two spans each, and ten may wait.
        assert 'endpointd_trace_spans_total{end="dropped"} 10.0' in watched.metrics()
        began = time.monotonic()
        assert daemon.stop() == 0
        assert time.monotonic() - began < FLUSH + 3
        # All are told of at the end; and of OpenTelemetry's own words none is in the log.
        lost = [event for event in daemon.events() if event["event"] == "tracing.spans_lost"]
        assert sum(event["spans"] for event in lost) == 22
        assert len(lost) <= 3
        assert "opentelemetry" not in daemon.log()


NOT_INSTALLED = """
import sys
sys.modules["opentelemetry.sdk"] = None
sys.modules["opentelemetry.exporter"] = None
sys.argv[0] = "endpointd"
from endpointd.cli import main
main()
"""


def test_without_opentelemetry_it_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()
    command = [sys.executable, "-P", "-c", NOT_INSTALLED, "serve", "--plugins", str(tmp_path / "plugins")]
    command += ["--listen=127.0.0.1:0", f"--state={tmp_path / 'state'}", "--trace-url=http://127.0.0.1:4318"]
    found = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert found.returncode == 1
    assert "tracing_not_installed" in found.stderr
    assert "endpointd[otel]" in found.stderr


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("ftp://host", "http://"),
        ("http://user:secret@host", "OTEL_EXPORTER_OTLP_HEADERS"),
        ("http://host/?key=secret", "neither query"),
    ],
)
def test_a_url_that_is_none(tmp_path: Path, url: str, reason: str) -> None:
    command = [sys.executable, "-P", "-m", "endpointd", "serve", f"--state={tmp_path}", f"--trace-url={url}"]
    found = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert found.returncode == 2
    assert reason in " ".join(found.stderr.split())


def test_who_does_not_trace_does_not_pay() -> None:
    code = "import sys, endpointd.app; print([m for m in sys.modules if m.startswith(('opentelemetry', 'google.p'))])"
    found = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert found.stdout.strip() == "[]"


class Slow(SpanExporter):
    """Takes nothing before it may."""

    def __init__(self) -> None:
        self.may = Event()
        self.has_begun = Event()

    def export(self, spans: object) -> SpanExportResult:  # noqa: ARG002
        self.has_begun.set()
        self.may.wait()
        return SpanExportResult.SUCCESS


def test_what_waits_is_bounded_and_nobody_waits_for_it() -> None:
    slow = Slow()
    counting = Counting(slow)
    queue = Bounded(counting, 600)
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(queue)
    tracer = provider.get_tracer("test")
    for _ in range(1000):
        tracer.start_span("one").end()
    assert slow.has_begun.wait(10)
    assert (queue.waiting, queue.dropped, counting.exported) == (600, 400, 0)
    slow.may.set()
    provider.shutdown()
    assert (queue.waiting, queue.dropped, counting.exported, counting.failed) == (0, 400, 600, 0)
