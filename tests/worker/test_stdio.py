"""What a plugin prints is its log, whoever prints it, and nothing but the worker ever speaks on the wire."""

import sys

from endpointd_wire.messages import Drain
from support.worker_process import LoadPlugin, WorkerProcess

LISTING = """
import os

folder = '/proc/self/fd'
places = [f'{folder}/{fd}' for fd in os.listdir(folder)]
# The descriptor that has listed the others is gone.
print([os.readlink(place) for place in places if os.path.lexists(place)])
"""
HEAD = f"""
import os, subprocess, sys
from werkzeug import Response
from dify_plugin import Endpoint

PYTHON = {sys.executable!r}
LISTING = {LISTING!r}
"""
TAIL = """
class Speaker(Endpoint):
    def _invoke(self, r, values, settings):
        return Response(str(speak()))
"""


def said(load: LoadPlugin, speak: str) -> tuple[bytes, str]:
    """What a plugin with the function `speak` answers, and its log."""
    worker = load({"speaker.py": f"{HEAD}\ndef speak():\n    {speak}\n{TAIL}"})
    body = worker.host.ask().body
    return body, end(worker)


def end(worker: WorkerProcess) -> str:
    worker.host.say(Drain())
    status, stderr = worker.wait()
    assert status == 0
    return stderr


def test_a_print_goes_to_the_log(load: LoadPlugin) -> None:
    assert said(load, "print('quack'); return 1") == (b"1", "quack\n")


def test_a_print_while_importing_goes_to_the_log(load: LoadPlugin) -> None:
    worker = load({"speaker.py": f"{HEAD}\nprint('imported')\ndef speak():\n    return 1\n{TAIL}"})
    assert end(worker) == "imported\n"


def test_a_print_is_in_the_log_when_it_happens(load: LoadPlugin) -> None:
    worker = load({"speaker.py": f"{HEAD}\ndef speak():\n    print('quack')\n{TAIL}"})
    worker.host.ask()
    assert worker.process.stderr is not None
    assert worker.process.stderr.readline() == "quack\n"
    assert end(worker) == ""


def test_what_is_written_below_python_goes_to_the_log(load: LoadPlugin) -> None:
    assert said(load, "os.write(1, b'one\\n'); os.write(2, b'two\\n')") == (b"None", "one\ntwo\n")


def test_what_a_child_prints_goes_to_the_log(load: LoadPlugin) -> None:
    body, log = said(load, "return subprocess.call([PYTHON, '-c', 'print(\"child\")'])")
    assert (body, log) == (b"0", "child\n")


def test_a_text_that_cannot_be_encoded_does_no_harm(load: LoadPlugin) -> None:
    assert said(load, "print('\\ud800 鸭')") == (b"None", "\\ud800 鸭\n")


def test_standard_input_is_empty(load: LoadPlugin) -> None:
    assert said(load, "return (os.read(0, 1), os.readlink('/proc/self/fd/0'))")[0] == b"(b'', '/dev/null')"


def test_a_child_does_not_hold_the_wire(load: LoadPlugin) -> None:
    speak = "return subprocess.run([PYTHON, '-c', LISTING], capture_output=True, close_fds=False).stdout"
    body, _ = said(load, speak)
    assert b"/dev/null" in body
    assert b"socket:" not in body


def test_a_fork_does_not_hold_the_wire(load: LoadPlugin) -> None:
    speak = """reader, writer = os.pipe()
    if os.fork() == 0:
        try:
            os.dup2(writer, 1)
            exec(LISTING, {})
        finally:
            os._exit(0)
    os.wait()
    os.close(writer)
    return os.read(reader, 10_000)"""
    body, _ = said(load, speak)
    assert b"pipe:" in body
    assert b"socket:" not in body


def test_the_wire_is_still_there_when_the_plugin_closes_the_standard_descriptors(load: LoadPlugin) -> None:
    body, _ = said(load, "[os.close(fd) for fd in (0, 1, 2)]; return 'open'")
    assert body == b"open"
