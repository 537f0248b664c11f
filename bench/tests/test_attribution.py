"""A profile's samples must count for who had the processor, and for nobody else."""

from pathlib import Path

import pytest

from attribution import LOOP, OTHER, PARTS, shares

LOOP_FRAME = "run (asyncio/runners.py:190);Runner.run (asyncio/runners.py:118)"
ROOT = Path(__file__).parents[2]


def test_a_sample_counts_for_the_innermost_part() -> None:
    profile = "\n".join(
        [
            f"{LOOP_FRAME};data_received (uvicorn/protocols/http/httptools_impl.py:174) 5",
            f"{LOOP_FRAME};data_received (uvicorn/protocols/http/httptools_impl.py:174);"
            "tell (endpointd/observe/requests.py:44);dumps (json/__init__.py:234) 3",
            f"{LOOP_FRAME} 1",
            f"{LOOP_FRAME};elsewhere (/usr/lib/python3/thing.py:1) 1",
        ]
    )
    found = {part: share for part, share in shares(profile, busy=1.0).items() if share}
    assert found == {"parse": 0.5, "log": 0.3, LOOP: 0.2}


def test_threads_that_wait_count_for_nothing() -> None:
    waiting = "_worker (concurrent/futures/thread.py:81) 900"
    profile = f"{waiting}\n{LOOP_FRAME};encode (endpointd_wire/frames.py:47) 1"
    assert shares(profile, busy=1.0)["frame"] == 1.0
    with pytest.raises(ValueError, match="no sample"):
        shares(waiting, busy=1.0)


def test_what_the_processor_was_not_had_for_is_waiting_in_the_loop() -> None:
    profile = f"{LOOP_FRAME} 60\n{LOOP_FRAME};encode (endpointd_wire/frames.py:47) 40"
    assert shares(profile, busy=0.5) == pytest.approx(dict.fromkeys((*PARTS, OTHER), 0.0) | {LOOP: 0.2, "frame": 0.8})
    # More than there is of it cannot be taken away.
    assert shares(profile, busy=0.1)["frame"] == 1.0
    with pytest.raises(ValueError, match="nothing but wait"):
        shares(f"{LOOP_FRAME} 60", busy=0.0)


def test_files_are_found_however_they_are_written() -> None:
    absolute = f"{LOOP_FRAME};answer (/opt/daemon/endpointd/gateway/client.py:106) 1"
    assert shares(absolute, busy=1.0)["relay"] == 1.0
    assert shares(f"{LOOP_FRAME};answer (endpointd/gateway/client.py:106) 1", busy=1.0)["relay"] == 1.0
    assert set(shares(absolute, busy=1.0)) == {*PARTS, OTHER}


@pytest.mark.parametrize(
    "file", sorted(file for files in PARTS.values() for file in files if file.startswith("endpointd"))
)
def test_the_parts_are_of_files_that_there_are(file: str) -> None:
    assert any((ROOT / source / file).exists() for source in ("daemon", "worker"))
