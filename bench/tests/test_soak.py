"""The soak's judgement: a loss that nothing excuses must not come out as one that something does."""

import hashlib
import json
from collections import Counter
from typing import Any

import pytest

from soaking.answers import fault_of_body, fault_of_stream, fault_of_upload, source
from soaking.daemon import Held
from soaking.ledger import Latencies, Ledger
from soaking.rule import AWAY, BROKEN_OFF, GONE, Failure, Window, attribute
from soaking.verdict import Found, Verdict

KILL = Window("kill", "duck", 10.0, 12.0, GONE, pid=7)
HELD = Held(1, 35, 5, 6)


def failure(**changes: Any) -> Failure:  # noqa: ANN401 - fields
    fields: dict[str, Any] = {"plugin": "duck", "request": "small", "kind": BROKEN_OFF, "sent": 9.0, "ended": 10.5}
    return Failure(**(fields | changes))


@pytest.mark.parametrize(
    ("changes", "explained"),
    [
        ({}, True),
        ({"kind": "502 worker_gone"}, True),
        ({"sent": 11.9, "ended": 13.0}, True),
        ({"pid": 7}, True),
        ({"pid": 8}, False),
        ({"plugin": "goose"}, False),
        ({"kind": "404 plugin_removed"}, False),
        ({"kind": "503 queue_full"}, False),
        ({"kind": "time-out"}, False),
        ({"kind": "answer of another plugin"}, False),
        ({"sent": 8.0, "ended": 9.9}, False),
        ({"sent": 12.1, "ended": 12.2}, False),
    ],
)
def test_a_kill_accounts_for_what_its_worker_had_under_way_and_for_nothing_else(
    changes: dict[str, Any], explained: bool
) -> None:
    accounted, lost = attribute([failure(**changes)], [KILL])
    assert (bool(accounted), not lost) == (explained, explained)


def test_failures_are_counted_by_disturbance_and_kind() -> None:
    removal = Window("removal", "duck", 10.0, 12.0, AWAY)
    failures = [failure(), failure(), failure(kind="404 plugin_removed"), failure(kind="500 plugin_exception")]
    accounted, lost = attribute(failures, [KILL, removal])
    assert accounted == {"kill": Counter({BROKEN_OFF: 2}), "removal": Counter({"404 plugin_removed": 1})}
    assert [one.kind for one in lost] == ["500 plugin_exception"]


# Answers


def said(**changes: Any) -> bytes:  # noqa: ANN401
    return json.dumps({"plugin": "duck", "version": 2, "nonce": "n", "pid": 7} | changes).encode() + b"\n"


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (said(), None),
        (said(plugin="goose"), "answer of another plugin"),
        (said(nonce="m"), "answer to another request"),
        (said(version=4), "answer of a version that never was"),
        (said()[:20], "no answer of the plugin's"),
        (b"[]", "no answer of the plugin's"),
    ],
)
def test_an_answer_is_of_the_right_plugin_to_this_request(body: bytes, fault: str | None) -> None:
    assert fault_of_body(body, "duck", "n", latest=3) == fault


def test_an_upload_is_answered_with_what_was_sent() -> None:
    whole = {"size": 3, "sha256": hashlib.sha256(b"abc").hexdigest()}
    assert fault_of_upload(said(**whole), "duck", "n", 3, b"abc") is None
    assert fault_of_upload(said(**whole), "duck", "n", 3, b"abd") == "request body not whole"
    assert fault_of_upload(said(), "duck", "n", 3, b"abc") == "request body not whole"


def test_a_stream_is_whole_in_order_and_of_one_worker() -> None:
    pieces = [said(number=number) for number in range(3)]
    assert fault_of_stream(b"".join(pieces), "duck", "n", 3, 3) is None
    assert fault_of_stream(b"".join(pieces[:2]), "duck", "n", 3, 3) == "stream not whole"
    assert fault_of_stream(b"".join(reversed(pieces)), "duck", "n", 3, 3) == "stream not whole"
    assert fault_of_stream(b"", "duck", "n", 3, 3) == "stream not whole"
    other = [*pieces[:2], said(number=2, pid=8)]
    assert fault_of_stream(b"".join(other), "duck", "n", 3, 3) == "stream of two workers"


def test_what_the_plugins_run_is_python() -> None:
    compile(source("duck", 1), "soaked.py", "exec")


# Figures


def test_quantiles_are_right_to_five_in_a_hundred() -> None:
    latencies = Latencies()
    assert latencies.quantile(0.5) == 0
    for number in range(1, 101):
        latencies.add(number / 1000)
    for share in (0.5, 0.99, 1.0):
        assert share / 10 <= latencies.quantile(share) <= share / 10 * 1.051


def found(**changes: Any) -> Found:  # noqa: ANN401
    ledger = Ledger()
    for request in ("small", "stream", "upload"):
        ledger.note_right("duck", request, 0.001, 7)
    fields: dict[str, Any] = {
        "seed": 1,
        "seconds": 60.0,
        "ledger": ledger,
        "windows": [KILL],
        "done": Counter({"kill": 1}),
        "faults": [],
        "events": [{"event": "worker.failed", "level": "error"}],
        "held": (HELD, HELD, HELD),
        "status": 0,
        "left": [],
        "machine": {"cores": 2},
    }
    return Found(**(fields | changes))


def test_a_soak_without_a_loss_is_passed() -> None:
    verdict = Verdict(found())
    assert (verdict.exit_status, verdict.reasons) == (0, [])
    assert "No request was lost" in verdict.report()
    assert json.loads(json.dumps(verdict.as_dict()))["requests"] == 3


@pytest.mark.parametrize(
    "changes",
    [
        {"faults": ["edit of duck: it does not answer"]},
        {"events": [{"event": "supervisor.defect", "level": "critical"}]},
        {"events": [{"event": "not an event", "level": "critical"}]},
        {"held": (HELD, HELD, Held(1, 36, 5, 6))},
        {"held": (HELD, HELD, Held(1, 35, 5, 7))},
        {"status": None},
        {"status": -9},
        {"left": [8]},
        {"ledger": Ledger()},
    ],
)
def test_whatever_else_is_wrong_fails_the_soak(changes: dict[str, Any]) -> None:
    verdict = Verdict(found(**changes))
    assert verdict.exit_status == 1
    assert "FAILED" in verdict.report()


def test_a_lost_request_fails_the_soak_and_an_explained_one_does_not() -> None:
    soaked = found()
    soaked.ledger.note_failure(failure())
    assert Verdict(soaked).exit_status == 0
    soaked.ledger.note_failure(failure(kind="time-out"))
    verdict = Verdict(soaked)
    assert verdict.exit_status == 1
    assert "lost: Failure(plugin='duck'" in verdict.report()
