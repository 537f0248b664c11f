"""The metrics, created from plain counters when they are requested.

prometheus_client's own counters take a lock for every increment; plain counters save requests that cost. The values of
labels are plugins, states, kinds and codes, of which there are few; never paths, hook ids or anything else that clients
can invent.
"""

import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client import generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)

from endpointd.sessions.tally import Tally
from endpointd.supervisor.latencies import Latencies, below
from endpointd.supervisor.state import State
from endpointd.supervisor.supervisor import Supervisor
from endpointd.supervisor.traffic import Traffic
from endpointd.supervisor.usage import usage_of

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

POWERS = range(-11, 9)
"""The exponents of the histograms' bounds, which are powers of two in seconds: from half a millisecond to 4 minutes."""

_BOUNDS = [str(float(2.0**power)) for power in POWERS]


@dataclass(frozen=True, slots=True)
class Sources:
    """The counters and states of the daemon. `behind` are the plugins of which an older version serves because that in
    the folder cannot; `refused` is the number of folders that are not valid plugins; `strangers` counts requests that
    belong to no plugin; `since` is when the daemon started, and `certificate_ends` when its TLS certificate ends (None
    if it has none), both in seconds since the epoch."""

    supervisors: Mapping[str, Supervisor]
    behind: Collection[str]
    refused: int
    strangers: Traffic
    calls: Mapping[tuple[str, str], Tally]
    store: Latencies
    lag: Latencies
    version: str
    since: float
    ready: bool
    spans: Mapping[str, int]
    starts: Mapping[str, int]
    certificate_ends: float | None


def families(sources: Sources) -> Iterator[Metric]:
    """All metrics. To be iterated in the event loop's thread, which owns the counters. With hundreds of plugins that
    takes tens of milliseconds, so the caller should let other tasks run in between."""
    for part in (_daemon, _requests, _times, _plugins, _workers, _calls):
        yield from part(sources)


def text_of(metrics: list[Metric]) -> bytes:
    """The metrics in Prometheus's text format. It takes milliseconds, and may be called in any thread."""
    return generate_latest(_Collected(metrics))


@dataclass(frozen=True, slots=True)
class _Collected:
    """Stands in for a registry of prometheus_client."""

    metrics: list[Metric]

    def collect(self) -> Iterator[Metric]:
        yield from self.metrics


def _daemon(sources: Sources) -> Iterator[Metric]:
    build = InfoMetricFamily("endpointd_build", "The daemon's version")
    build.add_metric([], {"version": sources.version})
    yield build
    yield GaugeMetricFamily(
        "endpointd_start_time_seconds", "When the daemon started, since the epoch", value=sources.since
    )
    yield GaugeMetricFamily("endpointd_ready", "Whether /readyz says so", value=float(sources.ready))
    if sources.certificate_ends is not None:
        yield GaugeMetricFamily(
            "endpointd_tls_certificate_end_time_seconds",
            "When the TLS certificate ends, since the epoch",
            value=sources.certificate_ends,
        )
    usage = usage_of(os.getpid())
    if usage is not None:
        yield GaugeMetricFamily("endpointd_resident_memory_bytes", "Memory of the daemon itself", value=usage.memory)
        yield CounterMetricFamily("endpointd_cpu_seconds", "Processor time of the daemon itself", value=usage.cpu)
    lag = _histogram("endpointd_event_loop_lag_seconds", "How late the event loop was, looked at each second", [])
    _observe(lag, [], sources.lag)
    yield lag
    store = _histogram("endpointd_store_seconds", "Times of transactions in the database", [])
    _observe(store, [], sources.store)
    yield store
    spans = CounterMetricFamily("endpointd_trace_spans", "Spans of traces, by what became of them", labels=["end"])
    for end, number in sources.spans.items():
        spans.add_metric([end], number)
    yield spans
    starts = CounterMetricFamily("endpointd_worker_starts", "Processes of workers, by how they began", labels=["way"])
    for way, number in sources.starts.items():
        starts.add_metric([way], number)
    yield starts


def _requests(sources: Sources) -> Iterator[Metric]:
    traffic = [(name, one.traffic) for name, one in sources.supervisors.items()] + [("", sources.strangers)]
    requests = CounterMetricFamily(
        "endpointd_requests",
        "Requests that are over, by the class of their status; aborted: broken off after the head, gone: the client"
        " left before it. Those of unknown paths have no plugin",
        labels=["plugin", "status"],
    )
    refusals = CounterMetricFamily(
        "endpointd_refusals", "Requests that the daemon answered by itself, by code", labels=["plugin", "code"]
    )
    received = CounterMetricFamily("endpointd_request_bytes", "Bytes of request bodies", labels=["plugin"])
    sent = CounterMetricFamily("endpointd_response_bytes", "Bytes of response bodies", labels=["plugin"])
    for name, one in traffic:
        for end, number in one.ends.items():
            requests.add_metric([name, end], number)
        for code, number in one.refusals.items():
            refusals.add_metric([name, code], number)
        received.add_metric([name], one.received)
        sent.add_metric([name], one.sent)
    yield from (requests, refusals, received, sent)


def _times(sources: Sources) -> Iterator[Metric]:
    queue = _histogram("endpointd_queue_seconds", "How long requests waited for a place in their worker", ["plugin"])
    for name, one in sources.supervisors.items():
        traffic = one.traffic
        _observe(queue, [name], traffic.waits, at_once=max(0, traffic.times.total - traffic.waits.total))
    yield queue
    first = _histogram(
        "endpointd_first_byte_seconds", "From handing a request to the worker to the head of its answer", ["plugin"]
    )
    for name, one in sources.supervisors.items():
        _observe(first, [name], one.latencies)
    yield first
    total = _histogram("endpointd_request_seconds", "From the head of a request to the end of its answer", ["plugin"])
    for name, one in sources.supervisors.items():
        _observe(total, [name], one.traffic.times)
    _observe(total, [""], sources.strangers.times)
    yield total


def _plugins(sources: Sources) -> Iterator[Metric]:
    states = GaugeMetricFamily(
        "endpointd_plugin_state", "1 for the state that the plugin is in", labels=["plugin", "state"]
    )
    behind = GaugeMetricFamily(
        "endpointd_plugin_behind",
        "1 when an older version answers than the folder's, which cannot be served",
        labels=["plugin"],
    )
    in_flight = GaugeMetricFamily("endpointd_requests_in_flight", "Requests in workers", labels=["plugin"])
    queued = GaugeMetricFamily("endpointd_requests_queued", "Requests that wait for a place", labels=["plugin"])
    restarts = CounterMetricFamily(
        "endpointd_worker_restarts", "Workers that took the place of one that had failed", labels=["plugin"]
    )
    ends = CounterMetricFamily(
        "endpointd_worker_failures", "Workers that failed or were recycled, by cause", labels=["plugin", "cause"]
    )
    lines = CounterMetricFamily(
        "endpointd_output_lines_left_out", "Lines of output that were too many for the log", labels=["plugin"]
    )
    for name, one in sources.supervisors.items():
        lines.add_metric([name], one.lines_left_out)
        behind.add_metric([name], float(name in sources.behind))
        for state in State:
            states.add_metric([name, state.value], float(one.life.state is state))
        in_flight.add_metric([name], one.crew.in_flight)
        queued.add_metric([name], one.admission.queued)
        restarts.add_metric([name], one.restarts)
        for cause, number in one.causes.items():
            ends.add_metric([name, cause], number)
    refused = GaugeMetricFamily("endpointd_folders_refused", "Folders that are no plugins", value=sources.refused)
    yield from (states, behind, refused, in_flight, queued, restarts, ends, lines)


def _workers(sources: Sources) -> Iterator[Metric]:
    ready = GaugeMetricFamily("endpointd_workers", "Workers that answer", labels=["plugin"])
    wanted = GaugeMetricFamily("endpointd_workers_wanted", "Workers that are to answer", labels=["plugin"])
    memory = GaugeMetricFamily(
        "endpointd_worker_resident_memory_bytes", "Memory of the present workers, all together", labels=["plugin"]
    )
    cpu = GaugeMetricFamily(
        "endpointd_worker_cpu_seconds", "Processor time of the present workers since their start", labels=["plugin"]
    )
    for name, one in sources.supervisors.items():
        ready.add_metric([name], len(one.pids) if one.life.state is State.RUNNING else 0)
        wanted.add_metric([name], one.workers_wanted)
        usages = [usage for pid in one.pids if (usage := usage_of(pid)) is not None]
        if usages:
            memory.add_metric([name], sum(usage.memory for usage in usages))
            cpu.add_metric([name], sum(usage.cpu for usage in usages))
    yield from (ready, wanted, memory, cpu)


def _calls(sources: Sources) -> Iterator[Metric]:
    labels = ["plugin", "kind"]
    open_ = GaugeMetricFamily("endpointd_session_calls_open", "Session calls that are being answered", labels=labels)
    ends = CounterMetricFamily(
        "endpointd_session_calls", "Session calls that are over, by how they ended", labels=[*labels, "end"]
    )
    times = _histogram("endpointd_session_call_seconds", "How long session calls took", labels)
    for key, tally in sources.calls.items():
        open_.add_metric(key, tally.open)
        for end, number in tally.ends.items():
            ends.add_metric([*key, end], number)
        _observe(times, key, tally.latencies)
    yield from (open_, ends, times)


def _histogram(name: str, what: str, labels: list[str]) -> HistogramMetricFamily:
    return HistogramMetricFamily(name, what, labels=labels)


def _observe(family: HistogramMetricFamily, labels: Iterable[str], times: Latencies, at_once: int = 0) -> None:
    """Add the counts of `times` to the histogram, plus `at_once` events that took no time and are not in `times`."""
    buckets = [
        (bound, float(number + at_once)) for bound, number in zip(_BOUNDS, below(times.counts, POWERS), strict=True)
    ]
    family.add_metric(list(labels), [*buckets, ("+Inf", float(times.total + at_once))], sum_value=times.seconds)
