"""The log of a real daemon: of requests, of what plugins write, at a level that can be changed, in files that turn."""

import json
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from endpointd.logs.files import Files, Rotation
from endpointd.supervisor.flood import FloodGate
from endpointd.testing import DaemonStarter
from support.eventually import eventually
from support.log_programs import run
from support.plugins import write_plugin
from support.raw_http import ask

TALKS = """
import logging
from dify_plugin import Endpoint
from werkzeug import Response

class Talks(Endpoint):
    def _invoke(self, r, values, settings):
        for number in range(int(r.args.get("lines", 0))):
            print("line", number, flush=True)
        logging.getLogger("talks").warning("one word")
        return Response(b"12345" + r.get_data())
"""

LINGERS = """
from threading import Event
from dify_plugin import Endpoint
from werkzeug import Response

class Lingers(Endpoint):
    def _invoke(self, r, values, settings):
        def body():
            yield b"all of it"
            while True:
                yield b""
                Event().wait(0.01)
        return Response(body(), headers={"Content-Length": "9"})
"""


def test_who_has_the_whole_answer_has_left_nothing_behind(start_daemon: DaemonStarter, tmp_path: Path) -> None:
    write_plugin(tmp_path / "plugins", "lingers", {"l.py": LINGERS}, [("GET", "/", "l.py")])
    file = tmp_path / "log"
    daemon = start_daemon(tmp_path / "plugins", state=tmp_path / "state", log_file=file, log_requests=True)

    def served() -> list[dict[str, Any]]:
        events = [json.loads(line) for line in file.read_text().splitlines()]
        return [event for event in events if event["event"] == "request.served"]

    assert ask(daemon.url, "/e/lingers/").body == b"all of it"
    eventually(lambda: len(served()) == 1)
    (event,) = served()
    assert (event["status"], event["bytes_out"], event.get("end")) == (200, 9, None)


def level(state: Path, *arguments: str) -> str:
    command = [sys.executable, "-P", "-m", "endpointd", "log-level", "--state", str(state), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stdout.strip()


def test_the_log_in_files(start_daemon: DaemonStarter, tmp_path: Path) -> None:
    write_plugin(tmp_path / "plugins", "talks", {"t.py": TALKS}, [("POST", "/say/<what>", "t.py")])
    file, state = tmp_path / "log", tmp_path / "state"
    daemon = start_daemon(tmp_path / "plugins", state=state, log_file=file, log_requests=True, output_rate=5)

    def events(name: str) -> list[dict[str, Any]]:
        found = [json.loads(line) for line in file.read_text().splitlines()]
        return [event for event in found if event["event"] == name]

    answer = ask(daemon.url, "/e/talks/say/secret-path?lines=200&token=secret-query", method="POST", body=b"abc")
    assert answer.status == 200
    ask(daemon.url, "/e/secret-hook/")
    eventually(lambda: len(events("request.served")) == 2)
    served, unknown = events("request.served")
    assert served["plugin"] == "test/talks"
    assert served["interface"] == "POST /say/<what>"
    assert (served["status"], served["bytes_in"], served["bytes_out"], served["queue"]) == (200, 3, 8, 0)
    assert 0 < served["first_byte"] <= served["total"]
    assert (unknown["status"], unknown["code"]) == (404, "endpoint_unknown")
    assert "secret" not in json.dumps([served, unknown])
    # Fifty at once, and five a second: nobody can have waited for all.
    eventually(lambda: bool(events("plugin.output_left_out")))
    logged = len(events("plugin.output")) + len(events("plugin.log"))
    left_out = sum(event["lines"] for event in events("plugin.output_left_out"))
    assert logged + left_out == 201
    assert 50 <= logged < 150
    # What is left is the daemon's own: stderr has nothing.
    assert daemon.events() == []

    assert level(state) == "info"
    assert level(state, "error") == "error"
    before = len(events("request.served"))
    ask(daemon.url, "/e/none/")
    assert level(state, "--reset") == "info"
    ask(daemon.url, "/e/none/")
    eventually(lambda: len(events("request.served")) == before + 1)
    assert level(state, "loud") == ""


def test_files_are_bounded_in_size_and_number(tmp_path: Path) -> None:
    with closing(Files(Rotation(tmp_path / "log", 1000, 2))) as files:
        for number in range(200):
            files.write(f"{number:>98}\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log", "log.1", "log.2"]
    assert all(path.stat().st_size <= 1000 for path in tmp_path.iterdir())
    assert (tmp_path / "log").read_text().splitlines()[-1].strip() == "199"


def test_a_disk_that_is_full_is_told_of_once(capsys: pytest.CaptureFixture[str]) -> None:
    with closing(Files(Rotation(Path("/dev/full"), 10**9, 1))) as files:
        for _ in range(3):
            files.write("line\n")
    assert capsys.readouterr().err.count("No space left") == 1


FULL_TWICE = """
import resource
from pathlib import Path
from endpointd.logs.files import Files, Rotation

files = Files(Rotation(Path(sys.argv[1]), 10**9, 1))
for room in (0, 1000, 0, resource.RLIM_INFINITY):
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
    for _ in range(3):
        files.write(f"room for {room}\\n")
"""


def test_a_disk_that_is_full_again_is_told_of_again(tmp_path: Path) -> None:
    outcome = run(FULL_TWICE, str(tmp_path / "log"), stderr=subprocess.PIPE)
    assert outcome.stderr.count("File too large") == 2
    assert (tmp_path / "log").read_text().count("room for 1000\n") == 3


HANDED_OVER = """
from pathlib import Path
from endpointd.logs.files import Rotation

if os.getuid() == 0:
    os.setuid(65534)
logs.configure("json", "info", Rotation(Path(sys.argv[1]), 1000, 2))
for number in range(100):
    log.info("line", number=number)
"""


@pytest.fixture
def handed_over() -> Iterator[Path]:
    """A file that everybody may write to, in a folder where nobody but root can rename it."""
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "log"
        file.touch()
        file.chmod(0o666)
        Path(name).chmod(0o555)
        yield file
        Path(name).chmod(0o755)


def test_a_file_in_a_folder_of_somebody_else_grows_on_and_both_are_told(handed_over: Path) -> None:
    outcome = run(HANDED_OVER, str(handed_over), stderr=subprocess.PIPE)
    warning, *events = [json.loads(line) for line in handed_over.read_text().splitlines()]
    assert (warning["event"], warning["level"], warning["folder"]) == ("log.grows", "warning", str(handed_over.parent))
    assert [event["number"] for event in events] == [*range(100)]
    (told,) = outcome.stderr.splitlines()
    assert re.fullmatch(
        rf"endpointd: {handed_over} is full, cannot be renamed and grows on: .*Permission denied.*", told
    )


def test_a_file_that_grows_is_renamed_a_minute_after_it_can_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 1000.0
    monkeypatch.setattr("endpointd.logs.files.monotonic", lambda: now)
    in_the_way = tmp_path / "log.1"
    with closing(Files(Rotation(tmp_path / "log", 1000, 1))) as files:
        for _ in range(2):
            in_the_way.mkdir()
            for _ in range(15):
                files.write(f"{now:>98}\n")
            now += 61
            files.write(f"{now:>98}\n")
            in_the_way.rmdir()
            files.write(f"{now:>98}\n")
            assert not in_the_way.exists()
            now += 61
            files.write(f"{now:>98}\n")
            assert len(in_the_way.read_text().splitlines()) >= 17
            in_the_way.unlink()
    assert capsys.readouterr().err.count("grows on") == 2


def test_who_moves_the_file_away_gets_another_one_with_a_reload(start_daemon: DaemonStarter, tmp_path: Path) -> None:
    write_plugin(tmp_path / "plugins", "talks", {"t.py": TALKS}, [("POST", "/", "t.py")])
    file, moved, config = tmp_path / "log", tmp_path / "moved", tmp_path / "endpointd.toml"
    config.write_text("")
    daemon = start_daemon(tmp_path / "plugins", state=tmp_path / "state", log_file=file, config=config)
    file.rename(moved)
    daemon.process.send_signal(signal.SIGHUP)
    eventually(lambda: file.exists() and "configuration.reloaded" in file.read_text())
    # So it is with a configuration that cannot be used.
    file.rename(moved)
    config.write_text("limit_body = nonsense")
    daemon.process.send_signal(signal.SIGHUP)
    eventually(lambda: file.exists() and "configuration.refused" in file.read_text())
    ask(daemon.url, "/e/talks/", method="POST")
    eventually(lambda: "one word" in file.read_text())
    assert "one word" not in moved.read_text()


def test_a_file_that_cannot_be_opened_anew_is_written_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, moved = tmp_path / "log", tmp_path / "moved"
    with closing(Files(Rotation(file, 10**9, 1))) as files:
        file.rename(moved)
        file.mkdir()
        files.reopen()
        files.write("still here\n")
    assert moved.read_text() == "still here\n"
    assert "cannot be opened anew" in capsys.readouterr().err


def test_a_flood_is_held_to_its_rate() -> None:
    gate = FloodGate(5)
    assert sum(gate.admits(1000.0) for _ in range(200)) == 50
    assert gate.take_untold() == 150
    assert sum(gate.admits(1002.0) for _ in range(200)) == 10
    assert (gate.take_untold(), gate.left_out) == (190, 340)
    assert all(FloodGate(0).admits(0.0) for _ in range(1000))
