"""Measurements as they are taken: with a real daemon and a real load generator, briefly."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import restarts
from errors import BenchError
from measurement import Bench, Measurement, Plan
from questions import Kind, Question
from results import Results, Sample
from servers import GRANIAN, GUNICORN_SYNC
from taking import take_all

PLAN = Plan(rounds=1, seconds=1, stream_bytes=10**6, largest=1)


def bench_with(wrk: str = "wrk", told: list[str] | None = None) -> Bench:
    told = [] if told is None else told
    return Bench(PLAN, Path(sys.executable).parent, wrk, frozenset({"granian"}), told.append)


@pytest.mark.skipif(shutil.which("wrk") is None, reason="there is no wrk on this machine")
def test_restarts_under_load_lose_no_request() -> None:
    samples = list(restarts.take(bench_with()))
    assert [(sample.question, sample.subject) for sample in samples] == [
        ("restart-paced", "without"),
        ("restart-paced", "during restarts"),
        ("restart-full", "without"),
        ("restart-full", "during restarts"),
    ]
    assert all(sample.failures == 0 and sample.figures["p99_ms"] > 0 for sample in samples)
    assert samples[1].figures["restarts"] == restarts.RESTARTS
    assert samples[3].figures["restarts"] >= 1


def test_a_measurement_that_fails_takes_no_figure_away() -> None:
    question = Question("q", "title", "how", (), Kind.PLAIN)

    def breaks(_: Bench) -> Iterator[Sample]:
        yield Sample("q", "s", {"rate": 1.0})
        raise ZeroDivisionError("a mistake")

    def lacks(_: Bench) -> Iterator[Sample]:
        raise BenchError("there is no such program")
        yield

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
