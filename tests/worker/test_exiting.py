"""How a worker's process ends: whatever its threads do, without a word, and nothing that was written is missing."""

import fcntl
import select
import socket
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from endpointd_wire.messages import Drain, Drained, Ping
from support.eventually import eventually
from support.host_end import WAIT_SECONDS
from support.worker_process import LoadPlugin, WorkerProcess

PLUGIN = """
import atexit, os, sys, threading
from werkzeug import Response
from dify_plugin import Endpoint

STATEMENTS

class Duck(Endpoint):
    def _invoke(self, r, values, settings):
        return Response("quack")
"""

# Nobody could read as fast as that.
CHATS = """
os.dup2(os.open(os.devnull, os.O_WRONLY), 2)

def chat():
    while True:
        print("quack" * 40, file=sys.stderr)

threading.Thread(target=chat, daemon=True).start()
"""

LEAVES_FILES = """
left = open(FOLDER + "/left", "w")
left.write("quack")
also_left = open(FOLDER + "/also-left", "wb")
also_left.write(b"quack")
closed = open(FOLDER + "/closed", "w")
closed.close()
sys.stderr = None

class NothingToAsk(type):
    def __eq__(self, other):
        raise RuntimeError("asked")

nothing_to_ask = NothingToAsk("Nothing", (), {})()

def leave(word):
    with open(FOLDER + "/words", "a") as words:
        words.write(word)

atexit.register(leave, "second")
atexit.register(leave, "first ")
"""

TAKES_ITS_TIME = """
import time

def leave():
    while not os.path.exists(FOLDER + "/go"):
        time.sleep(0.001)
    open(FOLDER + "/gone", "w").close()

atexit.register(leave)
"""

HOLDS_RECORDS_BACK = """
import logging, logging.handlers

audit = logging.getLogger("audit")
audit.propagate = False
audit.addHandler(logging.handlers.MemoryHandler(1000, target=logging.FileHandler(FOLDER + "/audit")))
audit.warning("a duck came by")
"""

FORKS = """
import os, sys
from endpointd_worker.exiting import process_exit
process_exit.prepare()
child = os.fork()
if not child:
    sys.exit(7)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), end="")
process_exit.exit(3)
"""


LEAVES_AND_TELLS = """
import os, sys, resource
from endpointd_worker.exiting import process_exit
import gc
shared = [[number] for number in range(200_000)]
gc.freeze()
child = os.fork()
if not child:
    process_exit.prepare()
    STATEMENT
    sys.exit(0)
print(os.wait4(child, 0)[2].ru_minflt, end="")
"""

WRITES_TO = {
    "a socket": "import socket; pair = socket.socketpair(); left = pair[0].makefile('wb'); left.write(b'quack')",
    "memory": "left = os.memfd_create('left')",
    "nothing": "left = open('/dev/null')",
}


def drained(worker: WorkerProcess) -> tuple[int, str]:
    """Its exit status, and what it wrote, when it has answered a request and is not wanted any more."""
    assert worker.host.ask().body == b"quack"
    worker.host.say(Drain())
    assert worker.host.hear_end() == [Drained()]
    return worker.wait()


def test_a_thread_that_is_writing_keeps_nobody(load: LoadPlugin) -> None:
    """Python itself would abort in most of these cases."""
    for number in range(5):
        worker = load({f"duck{number}.py": PLUGIN.replace("STATEMENTS", CHATS)})
        assert drained(worker) == (0, "")


def test_what_was_written_is_there(load: LoadPlugin, tmp_path: Path) -> None:
    """Also when the plugin has done away with a stream of Python's, and has objects that nobody can compare."""
    statements = LEAVES_FILES.replace("FOLDER", repr(str(tmp_path)))
    assert drained(load({"duck.py": PLUGIN.replace("STATEMENTS", statements)})) == (0, "")
    written = {name: (tmp_path / name).read_text() for name in ("left", "also-left", "closed", "words")}
    assert written == {"left": "quack", "also-left": "quack", "closed": "", "words": "first second"}


def unread(wire: socket.socket) -> int:
    """How many bytes the other end has not read yet."""
    return int(struct.unpack("i", fcntl.ioctl(wire, termios.TIOCOUTQ, bytes(4)))[0])


def test_what_the_host_said_before_it_could_hear_of_the_end_disturbs_nobody(load: LoadPlugin, tmp_path: Path) -> None:
    """A worker that took it for a breach of the protocol would end at once, with a complaint about the host."""
    statements = TAKES_ITS_TIME.replace("FOLDER", repr(str(tmp_path)))
    worker = load({"duck.py": PLUGIN.replace("STATEMENTS", statements)})
    assert worker.host.ask().body == b"quack"
    worker.host.say(Drain())
    # The last word is there, and the host does not know it yet.
    select.select([worker.host.wire], [], [], WAIT_SECONDS)
    worker.host.say(Ping(1))
    eventually(lambda: not unread(worker.host.wire))
    (tmp_path / "go").touch()
    assert worker.host.hear_end() == [Drained()]
    assert worker.wait() == (0, "")
    assert (tmp_path / "gone").exists()


def test_what_a_handler_of_logging_holds_back_is_there(load: LoadPlugin, tmp_path: Path) -> None:
    statements = HOLDS_RECORDS_BACK.replace("FOLDER", repr(str(tmp_path)))
    assert drained(load({"duck.py": PLUGIN.replace("STATEMENTS", statements)}))[0] == 0
    assert (tmp_path / "audit").read_text() == "a duck came by\n"


def faults(statement: str) -> int:
    """Pages that a child of a process with many objects has touched by its end."""
    program = LEAVES_AND_TELLS.replace("STATEMENT", statement)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=WAIT_SECONDS, check=True
    )
    return int(done.stdout)


@pytest.mark.parametrize("statement", WRITES_TO.values(), ids=WRITES_TO)
def test_one_that_has_no_file_to_write_out_copies_nothing_of_what_it_shares(statement: str) -> None:
    """Else a hundred workers that end together would want as much memory as if they had never shared any."""
    assert faults(statement) < 1000
    # The same with a file: all of the objects are looked at.
    assert faults("left = open(os.devnull, 'w')") > 4000


def test_what_a_pipe_was_to_have_is_there() -> None:
    write = "import subprocess; left = subprocess.Popen(['cat'], stdin=subprocess.PIPE); left.stdin.write(b'quack ')"
    done = subprocess.run(
        [sys.executable, "-c", LEAVES_AND_TELLS.replace("STATEMENT", write)],
        capture_output=True,
        timeout=WAIT_SECONDS,
        check=True,
    )
    assert done.stdout.startswith(b"quack ")


def test_a_child_has_an_end_of_its_own() -> None:
    process = subprocess.run([sys.executable, "-c", FORKS], capture_output=True, text=True, timeout=WAIT_SECONDS)
    assert (process.stdout, process.stderr, process.returncode) == ("7", "", 3)
