"""A worker's life as a process: what it says first and last, what ends it, and how."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from endpointd_wire.connection import WIRE_VERSION
from endpointd_wire.messages import Drain, Drained, Hello, LoadFailed, Ping, Pong
from support.host_end import WAIT_SECONDS
from support.processes import Watched
from support.worker_process import BOOTSTRAP, LoadPlugin, StartProcess

DUCK = """
from werkzeug import Response
from dify_plugin import Endpoint

class Duck(Endpoint):
    def _invoke(self, r, values, settings):
        return Response(f"{values} {settings} {self.session.session_id} {self.session.endpoint_id}")
"""
DUCK_FILES = {"endpoints/duck.py": DUCK}


def blocking(path: Path) -> str:
    """A plugin that says that it has begun, and then waits for a pipe that nobody writes to."""
    return f"""
import os
from werkzeug import Response
from dify_plugin import Endpoint

class Slow(Endpoint):
    def _invoke(self, r, values, settings):
        return Response(self.body())

    def body(self):
        yield "begun"
        yield open({str(path)!r}).read()
"""


def test_hello_comes_first(start_process: StartProcess) -> None:
    worker = start_process()
    hello = worker.host.hear(Hello)
    assert (hello.wire, hello.pid) == (WIRE_VERSION, worker.process.pid)
    assert hello.python == ".".join(map(str, sys.version_info[:3]))


def test_a_request_is_answered_by_the_plugin(load: LoadPlugin) -> None:
    worker = load(DUCK_FILES)
    fields = {"values": {"app_id": 7}, "settings": {"key": "v"}, "request_id": "r-9", "script": "/e/hook"}
    assert worker.host.ask(**fields).body == b"{'app_id': 7} {'key': 'v'} r-9 hook"


def test_each_request_has_an_object_and_settings_of_its_own(load: LoadPlugin) -> None:
    counter = """
from werkzeug import Response
from dify_plugin import Endpoint

class Counter(Endpoint):
    count = 0

    def _invoke(self, r, values, settings):
        self.count += 1
        settings["seen"] = settings.get("seen", 0) + 1
        return Response(f"{self.count} {settings['seen']}")
"""
    worker = load({"counter.py": counter})
    assert {worker.host.ask().body for _ in range(3)} == {b"1 1"}


def test_a_quick_change_is_not_taken_for_what_was_there_before(start_process: StartProcess, tmp_path: Path) -> None:
    """By a source compiled for the same size and the same second."""
    source = tmp_path / "duck.py"
    for text in ("one", "two"):
        source.write_text(DUCK.replace("{values}", text))
        os.utime(source, (1e9, 1e9))
        worker = start_process()
        worker.load(tmp_path, "duck.py", development=True)
        assert worker.host.ask().body.startswith(text.encode())


def test_the_end_of_the_wire_ends_it(load: LoadPlugin) -> None:
    worker = load(DUCK_FILES)
    worker.host.wire.close()
    assert worker.wait() == (0, "")


def test_the_end_of_the_wire_ends_it_before_it_has_a_plugin(start_process: StartProcess) -> None:
    worker = start_process()
    worker.host.hear(Hello)
    worker.host.wire.close()
    assert worker.wait() == (0, "")


def test_the_end_of_the_wire_ends_it_while_it_imports(start_process: StartProcess, tmp_path: Path) -> None:
    begun, never = tmp_path / "begun", tmp_path / "never"
    os.mkfifo(begun)
    os.mkfifo(never)
    (tmp_path / "slow.py").write_text(f"open({str(begun)!r}, 'w').close()\nopen({str(never)!r}).read()\n")
    worker = start_process()
    worker.send_load(tmp_path, "slow.py")
    begun.read_text()
    worker.host.wire.close()
    assert worker.wait() == (0, "")


def test_the_end_of_the_wire_ends_it_whatever_its_threads_do(load: LoadPlugin, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "never")
    worker = load({"slow.py": blocking(tmp_path / "never")})
    worker.host.request()
    assert worker.host.hear_body(5) == b"begun"
    worker.host.wire.close()
    assert worker.wait() == (0, "")


def test_its_children_end_with_it(start_process: StartProcess, tmp_path: Path) -> None:
    parent = f"import subprocess\nchild = subprocess.Popen([{sys.executable!r}, '-c', 'input()'], stdin=-1)\n"
    (tmp_path / "parent.py").write_text(parent + DUCK.replace('f"{values}', 'f"{child.pid}'))
    worker = start_process(own_session=True)
    worker.load(tmp_path, "parent.py")
    with Watched(int(worker.host.ask().body.split()[0])) as child:
        assert child.is_alive()
        worker.host.wire.close()
        assert child.ends_within()
    assert worker.wait()[0] == -signal.SIGKILL


def test_a_drained_worker_says_so_last(load: LoadPlugin) -> None:
    worker = load(DUCK_FILES)
    worker.host.ask()
    worker.host.say(Drain())
    assert worker.host.hear_end() == [Drained()]
    assert worker.wait() == (0, "")


def test_a_drained_worker_finishes_what_is_open(load: LoadPlugin, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    worker = load({"slow.py": blocking(gate)})
    stream = worker.host.request()
    assert worker.host.hear_body(5) == b"begun"
    worker.host.say(Drain(), Ping(1))
    assert worker.host.hear(Pong)
    gate.write_text("end")
    assert worker.host.take(stream).body == b"end"
    assert worker.host.hear_end() == [Drained()]
    assert worker.wait() == (0, "")


def test_a_plugin_with_problems_ends_it(start_process: StartProcess, tmp_path: Path) -> None:
    worker = start_process()
    assert isinstance(worker.load(tmp_path, "missing.py"), LoadFailed)
    assert worker.host.hear_end() == []
    assert worker.wait()[0] == 1


def test_sigterm_ends_it(load: LoadPlugin) -> None:
    worker = load(DUCK_FILES)
    worker.process.terminate()
    assert worker.wait() == (128 + signal.SIGTERM, "")


def test_control_c_is_meant_for_the_host(load: LoadPlugin) -> None:
    worker = load(DUCK_FILES)
    worker.process.send_signal(signal.SIGINT)
    worker.host.ask()
    worker.host.say(Drain())
    assert worker.wait() == (0, "")


def test_control_c_ends_what_the_plugin_has_started(load: LoadPlugin) -> None:
    """As it would elsewhere: recorders, say, finish their file on it."""
    records = f"""
import signal, subprocess
from werkzeug import Response
from dify_plugin import Endpoint

class Recorder(Endpoint):
    def _invoke(self, r, values, settings):
        child = subprocess.Popen(["sleep", "1000"])
        child.send_signal(signal.SIGINT)
        try:
            return Response(str(child.wait({WAIT_SECONDS})))
        finally:
            child.kill()
"""
    assert load({"recorder.py": records}).host.ask().body == str(-signal.SIGINT).encode()


def test_a_host_that_breaks_the_protocol_is_named(load: LoadPlugin) -> None:
    worker = load(DUCK_FILES)
    worker.host.wire.sendall(b"\xff" * 8)
    status, stderr = worker.wait()
    assert status == 70
    assert "the host broke the protocol: a frame announces" in stderr


@pytest.mark.parametrize("stdin", [subprocess.DEVNULL, subprocess.PIPE])
def test_run_by_hand_it_says_what_it_is(stdin: int) -> None:
    done = subprocess.run(
        [sys.executable, "-I", str(BOOTSTRAP)],
        stdin=stdin,
        capture_output=True,
        text=True,
        timeout=WAIT_SECONDS,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 2
    assert "endpointd check FOLDER" in done.stderr


def test_a_plugins_module_stands_in_for_none_of_ours(load: LoadPlugin) -> None:
    sources = dict.fromkeys(("endpointd_worker.py", "endpointd_wire.py", "worker.py"), "raise RuntimeError\n")
    asks = DUCK + "\nimport json, utils\nassert utils.MINE\n"
    assert load({"duck.py": asks, "utils/__init__.py": "MINE = True\n", **sources}).host.ask().status == 200
