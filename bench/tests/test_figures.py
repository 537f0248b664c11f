"""The arithmetic behind the verdict: a slow or failing endpointd must not come out as fast enough."""

import json

import pytest

from figures import Goal, Spread, exact, percentile
from goals import goals_of
from load import LoadRun, parse_report, script_for, script_in_turn
from page import page
from report import report
from results import Results, Sample, Taking
from workloads import DOCUMENT, DUCK

PEERS = {"gunicorn sync": 4000.0, "granian": 10_000.0, "granian 1 thread": 20_000.0}


def results(ours: float, failures: int = 0, problem: str | None = None) -> Results:
    """Three rounds, of which `ours` is the median."""
    samples = [Sample("duck-32", peer, {"rate": rate}) for peer, rate in PEERS.items()]
    samples += [Sample("duck-32", "endpointd", {"rate": rate}, failures, problem) for rate in (1.0, ours, 10**6)]
    taking = Taking("2026-01-01T00:00:00+00:00", 0.1, 60.0, samples)
    machine: dict[str, str | int | float] = {"processor": "P", "cores": 2, "memory_gib": 4, "kernel": "L", "load": 0.1}
    return Results(machine, {"wrk": "4"}, {"rounds": 3, "seconds": 1}, {"duck": taking})


def verdicts(measured: Results) -> dict[str, str]:
    return {goal.key: goal.verdict for goal in goals_of(measured) if goal.measured is not None}


def test_spread_is_low_median_high() -> None:
    assert Spread.over([9.0, 1.0, 5.0, 2.0]) == Spread(1.0, 3.5, 9.0)


def test_a_percentile_is_one_of_the_values() -> None:
    hundred = [float(value) for value in range(100, 0, -1)]
    assert [percentile(hundred, share) for share in (0.0, 0.5, 0.99, 1.0)] == [1.0, 50.0, 99.0, 100.0]
    assert percentile([7.0], 0.99) == 7.0


@pytest.mark.parametrize(
    ("ours", "granian", "one_thread", "sync"),
    [
        (24_000, "met", "met", "met"),
        (23_999, "met", "NOT MET", "met"),
        (20_000, "met", "NOT MET", "met"),
        (11_999, "NOT MET", "NOT MET", "NOT MET"),
    ],
)
def test_every_peer_has_its_own_verdict(ours: float, granian: str, one_thread: str, sync: str) -> None:
    assert verdicts(results(ours)) == {
        "duck-32-granian": granian,
        "duck-32-granian-1-thread": one_thread,
        "duck-32-gunicorn-sync": sync,
    }


def test_a_failed_request_fails_the_goal() -> None:
    failed = results(30_000, failures=1, problem="status 1")
    assert set(verdicts(failed).values()) == {"NOT MET"}
    assert failed.failures() == 3
    assert "FAILED: 3" in report(failed)
    assert "duck-32, endpointd: status 1" in report(failed)
    assert "3 requests failed" in page(failed)


def test_what_was_not_measured_is_said_and_not_met() -> None:
    measured = results(30_000)
    measured.takings["streams"] = Taking("2026-01-01T00:00:00+00:00", 0.1, missing="no client")
    (goal,) = [goal for goal in goals_of(measured) if goal.key == "out-64k"]
    assert (goal.verdict, goal.met) == ("not measured", False)
    assert "streams was not measured: no client" in page(measured)


def test_a_goal_says_what_was_required() -> None:
    goal = Goal("out", "streaming out", "one stream", 1500.0, 590.0, " MB/s")
    assert str(goal) == "NOT MET: streaming out: one stream: 590 MB/s (goal ≥ 1500 MB/s)"
    assert Goal("start", "start", "p50", 150.0, 150.0, " ms", at_most=True).met
    assert not Goal("start", "start", "p50", 150.0, 151.0, " ms", at_most=True).met


def test_figures_have_the_digits_that_mean_something() -> None:
    assert [exact(value) for value in (12345.6, 99.94, 9.994, 0.126, 3.0)] == ["12,346", "99.9", "9.99", "0.13", "3"]


def test_results_come_back_from_json_as_they_were() -> None:
    measured = results(12_000, failures=1, problem="status 1")
    assert Results.from_dict(json.loads(json.dumps(measured.as_dict()))) == measured


def test_the_page_tells_when_the_machine_was_not_idle() -> None:
    busy = results(12_000)
    assert "Somebody else was busy" not in page(busy)
    busy.machine["load"] = 3.0
    assert "Somebody else was busy" in page(busy)


def test_reads_the_last_line_of_wrk() -> None:
    line = '{"requests": 300, "microseconds": 1500000, "p50_us": 7, "p99_us": 9, "errors": {"read": 2, "write": 0}}'
    run = parse_report(f"Running 1s test\n{line}\n")
    assert run == LoadRun(200.0, 7, 9, {"read": 2, "write": 0})
    assert run.sample("duck-32", "granian") == Sample(
        "duck-32", "granian", {"rate": 200.0, "p50_ms": 0.007, "p99_ms": 0.009}, 2, "read 2"
    )


def test_wrk_is_told_the_request_in_lua() -> None:
    assert script_for(DUCK) == 'wrk.method = "GET"\n'
    assert f"wrk.body = {json.dumps(DOCUMENT.body.decode())}\n" in script_for(DOCUMENT)
    assert 'wrk.headers["X-Field-19"] = "value 19"' in script_for(DOCUMENT)
    assert 'local paths, prepared, turn = {"/a", "/b"}, {}, 0' in script_in_turn(["/a", "/b"])
