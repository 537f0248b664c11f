"""Where spans go: a collector that takes OTLP over HTTP, as OpenTelemetry's own does."""

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue

from support.eventually import eventually


@dataclass(frozen=True)
class Seen:
    """A span, ids in hexadecimal, times in seconds since the epoch."""

    name: str
    kind: int
    trace: str
    id: str
    parent: str
    links: list[str]
    attributes: dict[str, str | int]
    error: bool
    start: float
    end: float


class Collector:
    """Answers with `status`; each request waits for `gate`. `service` is what the last one called itself."""

    def __init__(self) -> None:
        self.spans: list[Seen] = []
        self.paths: set[str] = set()
        self.headers: dict[str, str] = {}
        self.resource: dict[str, str | int] = {}
        self.status = 200
        self.gate = threading.Event()
        self.gate.set()
        self.asked = threading.Event()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def of(self, trace: str, number: int) -> dict[str, Seen]:
        """The spans of a trace by their names, once there are as many."""
        eventually(lambda: len(self._of(trace)) == number)
        return {span.name: span for span in self._of(trace)}

    def _of(self, trace: str) -> list[Seen]:
        return [span for span in list(self.spans) if span.trace == trace]

    def take(self, body: bytes) -> None:
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.resource = _plain(resource.resource.attributes)
            for scope in resource.scope_spans:
                for span in scope.spans:
                    self.spans.append(
                        Seen(
                            span.name,
                            span.kind,
                            span.trace_id.hex(),
                            span.span_id.hex(),
                            span.parent_span_id.hex(),
                            [link.trace_id.hex() for link in span.links],
                            _plain(span.attributes),
                            span.status.code == span.status.STATUS_CODE_ERROR,
                            span.start_time_unix_nano / 1e9,
                            span.end_time_unix_nano / 1e9,
                        )
                    )

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                collector.paths.add(self.path)
                collector.headers = dict(self.headers)
                collector.asked.set()
                collector.gate.wait()
                if collector.status == 200:
                    collector.take(body)
                self.send_response(collector.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nobody wants to know."""

        return Handler


@contextmanager
def collector() -> Iterator[Collector]:
    found = Collector()
    thread = threading.Thread(target=found.server.serve_forever, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        found.gate.set()
        found.server.shutdown()
        found.server.server_close()
        thread.join()


def _plain(attributes: Iterable[KeyValue]) -> dict[str, str | int]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value") or "") for one in attributes}
