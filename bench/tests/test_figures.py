"""The arithmetic behind the verdict: a slow or failing endpointd must not come out as fast enough."""

from figures import Floor, Spread, ratio
from floors import floors_of
from load import LoadRun, parse_report
from report import report
from results import Results
from transfer import Transfer

GOOD = {"connect": 0, "read": 0, "write": 0, "timeout": 0, "status": 0}
PEERS = {"gunicorn sync": 4000.0, "granian": 10_000.0, "granian 1 thread": 20_000.0}


def results(ours: float, errors: dict[str, int] = GOOD, stream_seconds: float = 1.0) -> Results:
    runs = {(peer, 32): [LoadRun(rate, 100, 200, GOOD)] for peer, rate in PEERS.items()}
    runs["endpointd", 32] = [LoadRun(rate, 100, 200, errors) for rate in (1.0, ours, 10**6)]
    return Results({"cores": 2}, {"wrk": "4"}, runs, {("endpointd", "out"): [Transfer(10**9, stream_seconds)]})


def verdicts(measured: Results) -> list[bool]:
    return [floor.met for floor in floors_of(measured)]


def test_spread_is_low_median_high() -> None:
    assert Spread.over([9.0, 1.0, 5.0, 2.0]) == Spread(1.0, 3.5, 9.0)


def test_ratio_is_of_medians() -> None:
    ours = [LoadRun(rate, 1, 1, GOOD) for rate in (1.0, 300.0, 900.0)]
    assert ratio(ours, [LoadRun(100.0, 1, 1, GOOD)]) == 3.0
    assert ratio(ours, [LoadRun(0.0, 1, 1, GOOD)]) == float("inf")


def test_every_floor_has_its_own_verdict() -> None:
    assert verdicts(results(ours=12_000)) == [True, True, True, True]
    assert verdicts(results(ours=11_999)) == [False, True, False, True]
    assert verdicts(results(ours=5_999)) == [False, False, False, True]
    assert verdicts(results(ours=12_000, stream_seconds=1.7)) == [True, True, True, False]


def test_a_failed_request_fails_the_floor() -> None:
    failed = results(ours=12_000, errors=GOOD | {"status": 1})
    assert verdicts(failed) == [False, False, False, True]
    assert failed.failures == 3
    assert "FAILED: 3" in report(failed)


def test_a_body_that_did_not_arrive_whole_is_told() -> None:
    measured = results(ours=12_000)
    measured.streams["granian", "in"] = [Transfer(10, 1.0, "answered 500")]
    assert measured.failures == 1
    assert "granian, stream in: answered 500" in report(measured)


def test_a_floor_says_what_was_required() -> None:
    assert str(Floor("streaming", 600.0, 590.0, " MB/s", 0)) == "NOT MET: streaming: 590.00 MB/s (floor 600 MB/s)"


def test_reads_the_last_line_of_wrk() -> None:
    line = '{"requests": 300, "microseconds": 1500000, "p50_us": 7, "p99_us": 9, "errors": {"read": 2}}'
    run = parse_report(f"Running 1s test\n{line}\n")
    assert (run.rate, run.p50_us, run.p99_us, run.failures) == (200.0, 7, 9, 2)
