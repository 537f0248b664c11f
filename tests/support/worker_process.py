"""A real worker process, and the test as its host."""

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import endpointd_worker
from endpointd_wire.messages import Hello, Load, LoadFailed, Ready
from support.host_end import WAIT_SECONDS, HostEnd

BOOTSTRAP = Path(endpointd_worker.__file__).with_name("bootstrap.py")
KEY = "extra.python.source"
LOAD_SECONDS = 60.0


class WorkerProcess:
    """A real worker process. `stderr` may be read when it has ended."""

    def __init__(self, process: "subprocess.Popen[str]", host: HostEnd) -> None:
        self.process = process
        self.host = host

    def send_load(self, folder: Path, *sources: str, development: bool = False) -> None:
        self.host.hear(Hello)
        self.host.say(Load(str(folder), tuple((source, KEY) for source in sources), 8, development))

    def load(self, folder: Path, *sources: str, development: bool = False) -> Ready | LoadFailed:
        """Shake hands and have it load `folder`."""
        # An SDK takes long to import, on a busy machine much longer.
        self.host.wire.settimeout(LOAD_SECONDS)
        self.send_load(folder, *sources, development=development)
        answer = self.host.hear_any()
        self.host.wire.settimeout(WAIT_SECONDS)
        assert isinstance(answer, Ready | LoadFailed)
        return answer

    def wait(self) -> tuple[int, str]:
        """Its exit status, and what it wrote to stdout and stderr."""
        _, stderr = self.process.communicate(timeout=WAIT_SECONDS)
        return self.process.returncode, stderr


@contextlib.contextmanager
def worker_process(
    folder: Path, *, own_session: bool = False, interpreter: str = sys.executable
) -> Iterator[WorkerProcess]:
    """Start a worker as the host does; killed at the end if it is still there."""
    ours, theirs = socket.socketpair()
    with ours:
        process = subprocess.Popen(
            [interpreter, "-I", "-X", "utf8", str(BOOTSTRAP)],
            stdin=theirs.fileno(),
            stdout=theirs.fileno(),
            stderr=subprocess.PIPE,
            text=True,
            cwd=folder,
            env={"PATH": os.environ["PATH"]},
            start_new_session=own_session,
        )
        theirs.close()
        with process:
            try:
                yield WorkerProcess(process, HostEnd(ours))
            finally:
                process.kill()


class StartProcess(Protocol):
    def __call__(self, *, own_session: bool = False) -> WorkerProcess: ...


class LoadPlugin(Protocol):
    def __call__(self, files: dict[str, str], *, development: bool = False) -> WorkerProcess: ...
