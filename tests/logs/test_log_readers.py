"""Who reads the log may be late, stand still or go away: no line is lost but those that are counted, and nobody else is
harmed."""

import json
import os
import pty
import subprocess
import sys
import termios
from collections.abc import Iterator
from typing import Any

import pytest

from support.log_programs import PRELUDE, events, run

FROM_THREADS = """
from threading import Thread
logs.configure('json', 'info')
threads = [Thread(target=lambda: [log.info('x') for _ in range(200)]) for _ in range(4)]
for thread in threads:
    thread.start()
for _ in range(200):
    with logs.together():
        log.info('x')
for thread in threads:
    thread.join()
"""


def test_none_is_lost_that_another_thread_logs_meanwhile() -> None:
    assert [event["event"] for event in events(FROM_THREADS)] == ["x"] * 1000


@pytest.mark.parametrize("gone", ["os.close(2)", "sys.stderr.close()"])
def test_a_reader_that_has_gone_does_not_harm_the_writer(gone: str) -> None:
    together = "with logs.together(): log.info('z')"
    logging = "log.info('x')\nlogging.getLogger('y').info('y')"
    program = f"logs.configure('json', 'info')\n{gone}\n{logging}\n{together}\nprint('alive')"
    assert run(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE).stdout == "alive\n"


def test_what_others_write_does_not_fail_either_when_the_reader_has_gone() -> None:
    gone = "reader, writer = os.pipe()\nos.dup2(writer, 2)\nos.close(writer)\nos.close(reader)"
    program = f"logs.configure('json', 'info')\n{gone}\nlog.info('x')\nprint('y', file=sys.stderr)\nprint('alive')"
    assert run(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE).stdout == "alive\n"


FROM_WITHIN = """
logs.configure('json', 'info')
write, within = os.write, ['one', 'two']
def write_and_log(fd, data):
    size = write(fd, data)
    if within:
        logging.getLogger('x').info(within.pop(0))
    return size
os.write = write_and_log
log.info('first')
log.info('last')
"""


def test_what_is_logged_while_a_line_is_written_comes_after_it() -> None:
    """By a finalizer, say, which may run at any time: of a task whose failure nobody has asked for."""
    assert [event["event"] for event in events(FROM_WITHIN)] == ["first", "one", "two", "last"]


def test_a_disk_that_is_full_loses_lines_and_nothing_else() -> None:
    with open("/dev/full", "w") as full:
        program = "logs.configure('json', 'info')\nlog.info('x')\nprint('alive')"
        assert run(program, stdout=subprocess.PIPE, stderr=full.fileno()).stdout == "alive\n"


FULL = """
logs.configure('json', 'info')
for number in range(2_000):
    log.info('line', number=number, pad=1000 * 'x')
log.info('one for which there would be room')
print('done', flush=True)
sys.stdin.readline()
log.info('last')
"""


def test_a_reader_that_stands_still_stops_nobody_and_is_told_what_it_has_lost() -> None:
    command = [sys.executable, "-c", PRELUDE + FULL]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "done\n"
        told = []
        for line in process.stderr:
            event = json.loads(line)
            told.append(event.get("number", event["event"]))
            if event["event"] == "log.lost":
                process.stdin.write("\n")
                process.stdin.flush()
                lost = event["lines"]
    kept = 2_001 - lost
    assert told == [*range(kept), "log.lost", "last"]
    assert 900 < kept < 1100


def told_late(program: str, word: str) -> list[dict[str, Any]]:
    """The events of a program whose log is not read before it has written `word`."""
    command = [sys.executable, "-c", PRELUDE + program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == f"{word}\n"
        try:
            _, log = process.communicate(timeout=60)
        finally:
            process.kill()
    return [json.loads(line) for line in log.splitlines()]


SLOW = """
logs.configure('json', 'info')
for number in range(1_000):
    log.info('line', number=number)
    log.info('line', number=number, pad=10_000 * 'x' if number == 50 else '')
print('done', flush=True)
"""


def test_what_waits_at_the_end_is_still_written() -> None:
    """If the reader goes on within `PATIENCE`."""
    told = [event["number"] for event in told_late(SLOW, "done")]
    assert told == [number for number in range(1_000) for _ in range(2)]


BUSY = """
logs.configure('json', 'info')
def lines():
    for _ in range(20_000):
        log.info('line', pad=100 * 'x')
lines()
print('full', flush=True)
lines()
"""


def test_every_line_is_told_or_counted_while_others_are_logged() -> None:
    told = told_late(BUSY, "full")
    lost = [event["lines"] for event in told if event["event"] == "log.lost"]
    assert lost
    assert len(told) - len(lost) + sum(lost) == 40_000


TELLING = """
import atexit
from threading import Event
from endpointd.logs.stream import PatientStream
told, ending = Event(), Event()
def tell(lines):
    told.set()
    ending.wait()
    sum(range(1_000_000))
    stream.write('{"lost": %d}\\n' % lines)
stream = PatientStream(sys.stderr, tell)
for number in range(2_000):
    stream.write('{"pad": "%s"}\\n' % (1000 * 'x'))
print('full', flush=True)
told.wait()
atexit.register(ending.set)
"""


def test_a_process_that_ends_still_tells_what_was_lost() -> None:
    told = told_late(TELLING, "full")
    assert told[-1] == {"lost": 2_001 - len(told)}


OUTPUT = """
import asyncio, subprocess
from endpointd.logs import stream
from endpointd.supervisor.output import OutputReader
stream.PATIENCE = 60
async def main():
    read_end, write_end = os.pipe()
    with subprocess.Popen(['seq', '50000'], stdout=write_end):
        os.close(write_end)
        reader, pipe = await OutputReader.attach(read_end, lambda line: log.info('line', number=int(line)))
        while not logs.is_behind():
            await asyncio.sleep(0)
        print('behind', flush=True)
        await reader.done.wait()
        pipe.close()
logs.configure('json', 'info')
asyncio.run(main())
"""


def test_what_plugins_write_waits_for_a_slow_reader() -> None:
    assert [event.get("number") for event in told_late(OUTPUT, "behind")] == [*range(1, 50_001)]


@pytest.fixture
def unread() -> Iterator[int]:
    """The end of a pipe that nobody reads."""
    reader, writer = os.pipe()
    yield writer
    os.close(reader)
    os.close(writer)


STILL = """
import time
from endpointd.logs import stream
logs.configure('json', 'info')
while not logs.is_behind():
    log.info('line', pad=1000 * 'x')
print('behind', flush=True)
stream.PATIENCE = 0.1
while logs.is_behind():
    time.sleep(0.01)
print('given up')
"""


def test_nobody_waits_for_a_reader_that_stands_still(unread: int) -> None:
    assert run(STILL, stdout=subprocess.PIPE, stderr=unread).stdout == "behind\ngiven up\n"


def test_a_process_ends_though_nobody_reads_its_log(unread: int) -> None:
    assert run(SLOW, stdout=subprocess.PIPE, stderr=unread).stdout == "done\n"


def test_a_terminal_that_was_stopped_stops_nobody() -> None:
    """As Ctrl-S does."""
    terminal, child_side = pty.openpty()
    termios.tcflow(child_side, termios.TCOOFF)
    try:
        assert run(SLOW, stdout=subprocess.PIPE, stderr=child_side).stdout == "done\n"
    finally:
        os.close(terminal)
        os.close(child_side)
