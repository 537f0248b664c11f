"""The log, as a process writes it: one event a line whatever is logged, through structlog or the standard library."""

import json
import os
import pty
import re
import socket
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from support.log_programs import events, logged, run


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
    assert r"a\nb\x1b[2Jc\x9b" in line


def on_console(program: str) -> list[str]:
    """The lines, without the time that events begin with."""
    lines = logged(f"logs.configure('console', 'info')\n{program}").splitlines()
    return [re.sub(r"^\S+Z ", "", line) for line in lines]


@pytest.mark.parametrize("logger", ["log", "logging.getLogger('x')"])
def test_a_traceback_on_the_console_is_below_its_event_and_shows_its_controls(logger: str) -> None:
    program = f"try:\n    raise ValueError('\\x1b[2J\\nforged')\nexcept ValueError:\n    {logger}.exception('failed')"
    event, first, *_, last, forged = on_console(program)
    assert event.startswith("[error    ] failed")
    assert first == "  Traceback (most recent call last):"
    assert (last, forged) == (r"  ValueError: \x1b[2J", "  forged")


def test_an_error_without_a_traceback_is_below_its_event_too() -> None:
    assert on_console("log.error('failed', exc_info=ValueError('\\x1b'))") == [
        "[error    ] failed",
        r"  ValueError: \x1b",
    ]


def test_a_plugins_text_of_several_lines_is_below_its_event_on_the_console() -> None:
    text = "it failed\nTraceback:\n  File 'a'\r2026 [info] forged\x85\tat 'b' \\ \"c\"\x1b[2J"
    assert on_console(f"log.error('plugin.log', logger='a\\nb', text={text!r}, request='4-1')") == [
        r"[error    ] plugin.log [a\nb] request=4-1",
        "  it failed",
        "  Traceback:",
        "    File 'a'",
        "  2026 [info] forged",
        "          at 'b' \\ \"c\"" + r"\x1b[2J",
    ]


def test_what_has_one_line_stays_in_it_and_is_escaped_once() -> None:
    values = r"text='it\'s \x1b[2J', name='a\x1b[2J', reason='a\nb', word='x', end='c\n'"
    assert on_console(f"log.error('plugin.log', {values})") == [
        r"""[error    ] plugin.log end='c\n' name='a\x1b[2J' reason='a\nb' text="it's \x1b[2J" word=x"""
    ]


@pytest.mark.parametrize("key", ["problems", "findings", "faults", "reasons"])
def test_what_is_wrong_is_read_below_the_event_on_the_console(key: str) -> None:
    assert on_console(f"log.error('worker.failed', pid=3, {key}=['a.py:1: it is \\'b\\'', 'c\\nd'])") == [
        "[error    ] worker.failed pid=3",
        "  a.py:1: it is 'b'",
        "  c",
        "  d",
    ]
    assert on_console(f"log.error('worker.failed', {key}=None)") == ["[error    ] worker.failed"]


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
    assert logged(f"from pathlib import Path\nfrom endpointd.logs.files import Rotation\n{program}") == ""
    told = [json.loads(line)["event"] for line in (tmp_path / "log").read_text().splitlines()]
    assert told == ["before", "one", "two", "after", "last"]


JOURNAL = "os.environ['JOURNAL_STREAM'] = '%d:%d' % (os.fstat(2).st_dev, os.fstat(2).st_ino + {other}); "


@pytest.mark.parametrize("fmt", ["json", "console"])
def test_the_journal_is_told_how_grave_an_event_is(fmt: str) -> None:
    says = "log.info('a'); log.warning('b'); log.exception('c'); logging.getLogger('x').critical('d')"
    lines = logged(f"{JOURNAL.format(other=0)}logs.configure({fmt!r}, 'info'); {says}").splitlines()
    found = [(line[:3], line[3:].startswith("{")) for line in lines if line.startswith("<")]
    assert found == [(f"<{number}>", fmt == "json") for number in (6, 4, 3, 2)]


def test_nobody_else_is_told_it_in_the_journals_way() -> None:
    [line] = logged(f"{JOURNAL.format(other=1)}logs.configure('json', 'info'); log.info('a')").splitlines()
    assert json.loads(line)["event"] == "a"


def test_what_stderr_cannot_say_is_described() -> None:
    program = "logs.configure('console', 'info')\nlog.info('caf\\xe9')"
    outcome = run(program, stderr=subprocess.PIPE, env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert r"caf\xe9" in outcome.stderr
