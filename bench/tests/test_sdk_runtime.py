"""The client of the SDK's runtime, beside small programs that speak its protocol, well or not."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from errors import BenchError
from sdk_runtime import runtime
from workloads import DOCUMENT, DUCK, Workload

SPEAKS = """\
import json, sys
def say(session, kind, data=None):
    message = {"event": "session", "session_id": session, "data": {"type": kind, "data": data}}
    print(json.dumps(message) + "\\n", flush=True)
print(json.dumps({"name": "the manifest"}), flush=True)
print(json.dumps({"event": "heartbeat", "session_id": None, "data": {}}), flush=True)
for line in sys.stdin:
    request = json.loads(line)
    head, _, body = bytes.fromhex(request["data"]["raw_http_request"]).partition(b"\\r\\n\\r\\n")
    session = request["session_id"]
    say(session, "stream", {"status": 200, "headers": {}})
"""
ECHOES = SPEAKS + '    say(session, "stream", {"result": body.hex()})\n    say(session, "end")\n'
IN_TWO = SPEAKS + (
    '    say(session, "stream", {"result": b"endpointd ".hex()})\n'
    '    say("another", "stream", {"result": b"lost".hex()})\n'
    '    say(session, "stream", {"result": b"<br>".hex()})\n    say(session, "end")\n'
)
FAILS = SPEAKS + '    say(session, "error", {"message": "no"})\n    say(session, "end")\n'


def plugin(folder: Path, source: str) -> Path:
    (folder / "main.py").write_text(source)
    return folder


@pytest.mark.parametrize(("source", "workload"), [(ECHOES, DOCUMENT), (IN_TWO, DUCK)])
def test_counts_the_requests_that_were_answered_rightly(tmp_path: Path, source: str, workload: Workload) -> None:
    with runtime(Path(sys.executable), plugin(tmp_path, source), workload) as running:
        running.ask_once()
        run = running.put_under_load(in_flight=8, seconds=0.2)
    assert run.rate > 8
    assert run.failures == 0
    assert 0 < run.p50_us <= run.p99_us


def test_a_wrong_answer_is_a_failure(tmp_path: Path) -> None:
    workload = replace(DOCUMENT, answer=b"other")
    with runtime(Path(sys.executable), plugin(tmp_path, ECHOES), workload) as running:
        run = running.put_under_load(in_flight=2, seconds=0.05)
    assert run.failures > 0
    assert run.problem == f"wrong {run.failures}"


def test_an_error_is_no_answer(tmp_path: Path) -> None:
    with (
        pytest.raises(BenchError, match="not give the right answer"),
        runtime(Path(sys.executable), plugin(tmp_path, FAILS), DUCK) as running,
    ):
        running.ask_once()


def test_a_runtime_that_ends_says_what_it_said(tmp_path: Path) -> None:
    source = "import sys\nsys.exit('no settings')\n"
    with (
        pytest.raises(BenchError, match=r"(?s)ended with status 1.*no settings"),
        runtime(Path(sys.executable), plugin(tmp_path, source), DUCK) as running,
    ):
        running.ask_once()
