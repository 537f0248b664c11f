"""Measurements as they are taken: one with a real daemon, briefly."""

import sys
from collections.abc import Iterator
from pathlib import Path

import restarts
from endpointd.admin.client import Client
from errors import BenchError
from measurement import Bench, Measurement, Plan
from questions import Kind, Question
from results import Results, Sample
from running import serving
from servers import ENDPOINTD, GRANIAN, GUNICORN_SYNC
from taking import take_all
from workloads import DUCK

PLAN = Plan(rounds=1, seconds=1, stream_bytes=10**6, largest=1)


def bench_with(wrk: str = "wrk", told: list[str] | None = None) -> Bench:
    told = [] if told is None else told
    return Bench(PLAN, Path(sys.executable).parent, wrk, frozenset({"granian"}), told.append)


def test_restarts_under_load_lose_no_request() -> None:
    with serving(ENDPOINTD, bench_with().programs, DUCK) as site, Client(site.state) as admin:
        without, during = restarts.paced(site, admin, quiet=0.3)
    assert (without.subject, during.subject) == (restarts.WITHOUT, restarts.DURING)
    assert without.failures == during.failures == 0
    assert 0 < without.figures["p50_ms"] <= without.figures["p99_ms"]
    assert during.figures["restarts"] == restarts.RESTARTS


def test_a_measurement_that_fails_takes_no_figure_away() -> None:
    question = Question("q", "title", "how", (), Kind.PLAIN)

    def breaks(_: Bench) -> Iterator[Sample]:
        yield Sample("q", "s", {"rate": 1.0})
        raise ZeroDivisionError("a mistake")

    def lacks(_: Bench) -> Iterator[Sample]:
        raise BenchError("there is no such program")

    told: list[str] = []
    kept: list[list[str]] = []
    results = Results({}, {}, {})
    measurements = [Measurement("breaks", (question,), breaks), Measurement("lacks", (question,), lacks)]
    take_all(bench_with(told=told), measurements, results, lambda so_far: kept.append(list(so_far.takings)))
    assert kept == [["breaks"], ["breaks", "lacks"]]
    assert results.samples("q") == [Sample("q", "s", {"rate": 1.0})]
    assert results.takings["lacks"].missing == "there is no such program"
    assert list(results.problems()) == [
        "breaks was not measured: ZeroDivisionError('a mistake')",
        "lacks was not measured: there is no such program",
    ]
    assert any("Traceback" in text for text in told)


def test_only_the_servers_that_are_wanted_have_their_turns() -> None:
    assert list(bench_with().turns((GUNICORN_SYNC, GRANIAN))) == [GRANIAN]
