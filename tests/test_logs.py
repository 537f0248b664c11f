"""The log, as a process writes it: one event a line whatever is logged, through structlog or the standard library."""

import json
import os
import pty
import re
import socket
import subprocess
import sys
import termios
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

PRELUDE = """\
import logging, os, sys, warnings
import structlog
from endpointd import logs
log = structlog.get_logger()
"""


def run(
    program: str, *, stdout: int | None = None, stderr: int | None = None, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", PRELUDE + program]
    return subprocess.run(command, stdout=stdout, stderr=stderr, env=env, text=True, timeout=60, check=True)


def logged(program: str) -> str:
    outcome = run(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert outcome.stdout == ""
    return outcome.stderr


def events(program: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in logged(f"logs.configure('json', 'info')\n{program}").splitlines()]


def on_terminal(program: str, variables: Mapping[str, str]) -> bytes:
    terminal, child_side = pty.openpty()
    environment = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    with open(terminal, "rb", buffering=0) as output:
        run(program, stderr=child_side, env={**environment, **variables})
        os.close(child_side)
        return output.read(100_000)


def test_an_event_is_one_json_line_with_time_and_level_first() -> None:
    [event] = events("log.info('plugin ready', plugin='a/b', pid=3)")
    assert list(event) == ["timestamp", "level", "event", "plugin", "pid"]
    assert (event["level"], event["event"], event["plugin"], event["pid"]) == ("info", "plugin ready", "a/b", 3)
    assert event["timestamp"].endswith("Z")
    assert abs(datetime.now(UTC) - datetime.fromisoformat(event["timestamp"])) < timedelta(minutes=1)


def test_the_standard_librarys_records_look_the_same() -> None:
    [event] = events("logging.getLogger('uvicorn.error').warning('%s of %s', 1, 2)")
    assert list(event)[:3] == ["timestamp", "level", "event"]
    assert (event["level"], event["event"], event["logger"]) == ("warning", "1 of 2", "uvicorn.error")


def test_warnings_are_events() -> None:
    [event] = events("warnings.simplefilter('always'); warnings.warn('careful')")
    assert "careful" in event["event"]


@pytest.mark.parametrize("logger", ["log", "logging.getLogger('x')"])
def test_a_traceback_stays_within_its_json_line(logger: str) -> None:
    [event] = events(f"try:\n    1 / 0\nexcept ZeroDivisionError:\n    {logger}.exception('failed')")
    assert "ZeroDivisionError" in event["exception"]


def test_what_json_cannot_hold_is_described() -> None:
    [event] = events("log.info('odd', value=object(), bytes=b'x', text='\\ud800\\n')")
    assert event["value"].startswith("<object object")
    assert event["text"] == "\ud800\n"


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error"])
def test_events_below_the_level_are_left_out(level: str) -> None:
    levels = ["debug", "info", "warning", "error"]
    program = "\n".join(f"log.{one}('x'); logging.getLogger('y').{one}('y')" for one in levels)
    lines = logged(f"logs.configure('json', '{level}')\n{program}").splitlines()
    expected = [one for one in levels[levels.index(level) :] for _ in range(2)]
    assert [json.loads(line)["level"] for line in lines] == expected


def test_auto_is_json_for_a_pipe_and_console_for_a_terminal() -> None:
    program = "logs.configure('auto', 'info')\nlog.info('hello', a=1)"
    assert json.loads(logged(program))["a"] == 1
    assert b"hello" in on_terminal(program, {})
    assert not on_terminal(program, {}).startswith(b"{")


def test_colours_are_for_terminals_without_no_color() -> None:
    program = "logs.configure('console', 'info')\nlog.info('hello', a=1)"
    assert b"\x1b[" in on_terminal(program, {})
    assert b"\x1b[" not in on_terminal(program, {"NO_COLOR": "1"})
    line = logged(program)
    assert re.fullmatch(r"\S+Z \[info\s*\] hello a=1\n", line)


@pytest.mark.parametrize("logger", ["log", "logging.getLogger('x')"])
def test_the_console_shows_control_characters_instead_of_obeying_them(logger: str) -> None:
    line = logged(f"logs.configure('console', 'info')\n{logger}.info('a\\nb\\x1b[2Jc\\x9b')")
    assert line.count("\n") == 1
    assert r"a\x0ab\x1b[2Jc\x9b" in line


def test_a_traceback_on_the_console_keeps_its_lines_and_shows_its_controls() -> None:
    program = "try:\n    raise ValueError('\\x1b[2J')\nexcept ValueError:\n    log.exception('failed')"
    text = logged(f"logs.configure('console', 'info')\n{program}")
    assert text.splitlines()[-1] == r"ValueError: \x1b[2J"


TOGETHER = """
logs.configure('json', 'info')
log.info('before')
try:
    with logs.together():
        log.info('one')
        log.info('two')
        raise KeyError
except KeyError:
    log.info('after')
with logs.together():
    pass
logging.getLogger('x').info('last')
"""


def test_what_is_logged_together_is_one_piece_for_the_reader() -> None:
    reader, writer = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with reader:
        with writer:
            run(TOGETHER, stderr=writer.fileno())
        pieces = [*iter(lambda: reader.recv(100_000).decode(), "")]
    told = [[json.loads(line)["event"] for line in piece.splitlines()] for piece in pieces]
    assert told == [["before"], ["one", "two"], ["after"], ["last"]]


def test_what_is_too_much_for_one_piece_is_cut_between_lines() -> None:
    reader, writer = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    program = "logs.configure('json', 'info')\nwith logs.together(): [log.info('x') for _ in range(100)]"
    with reader:
        with writer:
            run(program, stderr=writer.fileno())
        pieces = [*iter(lambda: reader.recv(100_000).decode(), "")]
    assert [json.loads(line)["event"] for piece in pieces for line in piece.splitlines()] == ["x"] * 100
    assert 1 < len(pieces) < 5


def test_in_files_each_event_is_written_by_itself(tmp_path: Path) -> None:
    rotation = f"logs.configure('json', 'info', Rotation(Path({str(tmp_path / 'log')!r}), 100_000, 1))"
    program = TOGETHER.replace("logs.configure('json', 'info')", rotation)
    assert logged(f"from pathlib import Path\nfrom endpointd.logfiles import Rotation\n{program}") == ""
    told = [json.loads(line)["event"] for line in (tmp_path / "log").read_text().splitlines()]
    assert told == ["before", "one", "two", "after", "last"]


def test_what_stderr_cannot_say_is_described() -> None:
    program = "logs.configure('console', 'info')\nlog.info('caf\\xe9')"
    outcome = run(program, stderr=subprocess.PIPE, env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert r"caf\xe9" in outcome.stderr


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


TELLING = """
import atexit
from threading import Event
from endpointd.logstream import PatientStream
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


def test_every_line_is_told_or_counted_while_others_are_logged() -> None:
    told = told_late(BUSY, "full")
    lost = [event["lines"] for event in told if event["event"] == "log.lost"]
    assert lost
    assert len(told) - len(lost) + sum(lost) == 40_000


OUTPUT = """
import asyncio, subprocess
from endpointd import logstream
from endpointd.supervisor.output import OutputReader
logstream.PATIENCE = 60
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


STILL = """
import time
from endpointd import logstream
logs.configure('json', 'info')
while not logs.is_behind():
    log.info('line', pad=1000 * 'x')
print('behind', flush=True)
logstream.PATIENCE = 0.1
while logs.is_behind():
    time.sleep(0.01)
print('given up')
"""


def test_nobody_waits_for_a_reader_that_stands_still() -> None:
    reader, writer = os.pipe()
    try:
        assert run(STILL, stdout=subprocess.PIPE, stderr=writer).stdout == "behind\ngiven up\n"
    finally:
        os.close(reader)
        os.close(writer)


def test_a_process_ends_though_nobody_reads_its_log() -> None:
    reader, writer = os.pipe()
    try:
        assert run(SLOW, stdout=subprocess.PIPE, stderr=writer).stdout == "done\n"
    finally:
        os.close(reader)
        os.close(writer)


def test_a_terminal_that_was_stopped_stops_nobody() -> None:
    """As Ctrl-S does."""
    terminal, child_side = pty.openpty()
    termios.tcflow(child_side, termios.TCOOFF)
    try:
        assert run(SLOW, stdout=subprocess.PIPE, stderr=child_side).stdout == "done\n"
    finally:
        os.close(terminal)
        os.close(child_side)
