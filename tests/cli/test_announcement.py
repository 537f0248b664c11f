"""What `endpointd serve` prints on a terminal when it is known which plugins run."""

import os
import pty
import subprocess
import sys

import pytest

from endpointd.cli.announcement import announce
from endpointd.plugins.reports import PluginReport

BASE = "http://127.0.0.1:8080"
SERVED = PluginReport(
    "duck",
    "acme/duck",
    (
        ("GET", f"{BASE}/e/duck/"),
        ("POST", f"{BASE}/e/duck/"),
        ("GET", f"{BASE}/e/duck/picture/<int(min=1,max=640):width>.png"),
    ),
    (),
)
REFUSED = PluginReport("broken", None, (), ("manifest.yaml:1: the file is empty; fill it [yaml_empty]",))
LINES = [
    "acme/duck",
    f"  GET,POST  {BASE}/e/duck/",
    f"  GET       {BASE}/e/duck/picture/<int(min=1,max=640):width>.png",
    "the folder 'broken' is not served:",
    "  manifest.yaml:1: the file is empty; fill it [yaml_empty]",
    f"1 of 2 plugins served on {BASE} (Ctrl-C ends)",
]


def test_each_plugin_stands_with_its_urls_or_the_reason_why_not(capsys: pytest.CaptureFixture[str]) -> None:
    announce(BASE, [SERVED, REFUSED])
    assert capsys.readouterr().out.splitlines() == LINES


def test_one_that_runs_without_an_endpoint_is_not_called_broken(capsys: pytest.CaptureFixture[str]) -> None:
    announce(BASE, [SERVED, PluginReport("cat", "acme/cat", (), ("it requires settings: token",), runs=True)])
    assert capsys.readouterr().out.splitlines()[3:5] == [
        "acme/cat runs, but answers nowhere:",
        "  it requires settings: token",
    ]


def test_nobody_has_to_read_it() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "wb", buffering=0) as closed_pipe:
        done = subprocess.run(
            [sys.executable, "-c", "from test_announcement import *; announce(BASE, [SERVED]); sys.exit(7)"],
            cwd=os.path.dirname(__file__),
            stdout=closed_pipe,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
    assert (done.returncode, done.stderr) == (7, b"")


def test_a_url_stays_whole_on_a_narrow_terminal() -> None:
    terminal, child_side = pty.openpty()
    with open(terminal, "rb", buffering=0) as output:
        subprocess.run(
            [sys.executable, "-c", "from test_announcement import *; announce(BASE, [SERVED, REFUSED])"],
            cwd=os.path.dirname(__file__),
            env=os.environ | {"COLUMNS": "40", "NO_COLOR": "1", "TERM": "dumb"},
            stdout=child_side,
            timeout=60,
            check=True,
        )
        os.close(child_side)
        written = output.read(100_000).decode()
    assert written.split("\r\n")[:-1] == LINES
