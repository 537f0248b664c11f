"""`endpointd dev` as a process: what is saved is served, and what is wrong is told where the author looks."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from cli.conftest import Run
from support.eventually import eventually
from support.plugins import write_plugin
from support.raw_http import ask

SOURCE = """
from dify_plugin import Endpoint
from werkzeug import Response

class Says(Endpoint):
    def _invoke(self, r, values, settings):
        print("asked")
        return {expression}
"""


class Dev:
    """The command, running; `told` is what it has written so far."""

    def __init__(self, folder: Path) -> None:
        self.source = folder / "says.py"
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "endpointd", "dev", str(folder), "--listen", "127.0.0.1:0"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            bufsize=1,
        )
        assert self.process.stdout is not None
        self._output: IO[str] = self.process.stdout
        self.told = ""
        self.url = self.wait_for(r"plugins served on (\S+)")

    def wait_for(self, pattern: str) -> str:
        """Read until a line has `pattern`; its first group. AssertionError: the command has ended before."""
        for line in self._output:
            self.told += line
            found = re.search(pattern, line)
            if found:
                return found[1]
        raise AssertionError(f"no {pattern!r}:\n{self.told}")

    def says(self) -> str:
        answer = ask(self.url, "/e/duck/")
        return answer.body.decode()


def save(source: Path, expression: str) -> None:
    source.write_text(SOURCE.format(expression=expression))


@pytest.fixture
def dev(tmp_path: Path) -> Iterator[Dev]:
    folder = write_plugin(
        tmp_path, "duck", {"says.py": SOURCE.format(expression="Response('one')")}, [("GET", "/", "says.py")]
    )
    dev = Dev(folder)
    yield dev
    dev.process.send_signal(signal.SIGINT)
    rest, _ = dev.process.communicate(timeout=30)
    assert dev.process.returncode == 0, dev.told + rest


def test_what_is_saved_is_served(dev: Dev) -> None:
    assert dev.says() == "one"
    save(dev.source, "Response('two')")
    assert eventually(lambda: dev.says() == "two") < 2
    assert dev.wait_for(r"line=(asked)") == "asked"


def test_a_terminal_that_takes_no_more_keeps_no_request(dev: Dev) -> None:
    """Each writes some lines, which nobody reads; a pipe has room for 64 KiB."""
    assert {dev.says() for _ in range(1000)} == {"one"}


def test_a_traceback_is_in_the_answer(dev: Dev) -> None:
    save(dev.source, "1 / 0")
    eventually(lambda: "ZeroDivisionError" in dev.says())
    assert "says.py" in dev.says()


def test_what_cannot_be_loaded_is_told_with_its_line_and_the_version_before_goes_on(dev: Dev) -> None:
    dev.source.write_text("class Says(:\n")
    assert "says.py:1" in dev.wait_for(r"worker\.failed .*problems=\['([^']*)")
    assert dev.says() == "one"


def test_a_folder_that_is_none_is_an_error_at_once(run: Run, tmp_path: Path) -> None:
    outcome = run("dev", tmp_path / "nowhere")
    assert (outcome.returncode, outcome.stdout) == (2, "")
    assert "not_a_directory" in outcome.stderr
