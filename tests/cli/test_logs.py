"""`endpointd logs`, as a process: what it shows, and how it ends."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from cli.conftest import Run
from support.fake_control import AdminHost, FakeControl


def test_the_newest_lines_are_shown_with_time_and_kind(ask: Run, control: FakeControl) -> None:
    journal = control.journals["acme/neko"]
    for number in range(3):
        journal.append("output", f"line {number}")
    journal.append("log", "it\tfailed\nTraceback\x1b[2J", level="ERROR", request="r-7")
    outcome = ask("logs", "neko", "-n", 2)
    assert (outcome.returncode, outcome.stderr) == (0, "")
    line, record, rest = outcome.stdout.splitlines()
    assert re.fullmatch(r"2023-11-1\d \d\d:\d\d:\d\d\.250 output   line 2", line)
    assert re.fullmatch(r"2023-11-1\d \d\d:\d\d:\d\d\.250 error    it\\tfailed \[r-7\]", record)
    assert rest == "  Traceback\\x1b[2J"


def test_lines_for_programs_are_a_json_object_each(ask: Run, control: FakeControl) -> None:
    journal = control.journals["acme/neko"]
    journal.append("event", "STARTING")
    journal.append("output", "[bold]no markup[/bold] :smile:")
    told = [json.loads(line) for line in ask("logs", "neko", "--json").stdout.splitlines()]
    assert told == [entry.as_dict() for entry in journal.tail(10)]
    assert ask("logs", "neko").stdout.splitlines()[1].endswith("[bold]no markup[/bold] :smile:")


class Following:
    """`endpointd logs -f` under way, of a plugin that has said one line."""

    def __init__(self, host: AdminHost) -> None:
        self.journal = host.control.journals["acme/neko"]
        self.host = host
        self.say("first")
        command = [sys.executable, "-P", "-m", "endpointd", "logs", "neko", "-f", "--state", str(host.state)]
        # Who runs the tests in the background of a shell has them ignore what a terminal's user can interrupt.
        self.process = subprocess.Popen(
            ["env", "--default-signal=INT", *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def say(self, text: str) -> None:
        self.host.do(lambda: self.journal.append("output", text))

    def read(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def end(self) -> tuple[int, str]:
        """The exit status, and what was written to stderr."""
        assert self.process.stderr is not None
        error = self.process.stderr.read()
        return self.process.wait(20), error


@pytest.fixture
def following(host: AdminHost) -> Iterator[Following]:
    follows = Following(host)
    with follows.process:
        yield follows
        follows.process.kill()


def test_following_shows_what_comes_as_it_comes(following: Following) -> None:
    assert following.read().endswith("first\n")
    following.say("second")
    assert following.read().endswith("second\n")


def test_an_interrupt_ends_silently_with_130(following: Following) -> None:
    following.read()
    following.process.send_signal(signal.SIGINT)
    assert following.end() == (130, "")


def test_a_reader_that_has_enough_is_no_failure_with_a_traceback(following: Following) -> None:
    following.read()
    assert following.process.stdout is not None
    following.process.stdout.close()
    while following.process.poll() is None:
        following.say("more")
    assert following.end() == (1, "")


def test_following_ends_with_the_daemon(following: Following, host: AdminHost) -> None:
    following.read()
    host.stop()
    assert following.read() == ""
    assert following.end() == (0, "")
