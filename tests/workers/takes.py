"""Takes what it can get: `way` says of what. Where it is when it is imported is told in its log."""

import os
import resource
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any

from dify_plugin import Endpoint
from werkzeug import Request, Response

MIB = 1024 * 1024
RUNAWAY = """
import os, resource, time
os.setsid()
resource.setrlimit(resource.RLIMIT_RTTIME, (1 << 50, 1 << 50))
while not os.fork():
    time.sleep(0.02)
"""

with open("/proc/self/cgroup", encoding="ascii") as groups:
    print("imported in", next(line[3:].strip() for line in groups if line.startswith("0::")), flush=True)  # noqa: T201


def memory() -> str:
    """All that there is, and really used."""
    pieces = []
    while True:
        pieces.append(b"x" * (8 * MIB))


def memory_of_a_child() -> str:
    return str(subprocess.run([sys.executable, "-c", f"a = []\nwhile True: a.append(b'x' * {8 * MIB})"]).returncode)


def reserved() -> str:
    """Memory that is not used."""
    import mmap

    return str(len(mmap.mmap(-1, 1024 * MIB)))


def threads() -> str:
    """How many more there can be, up to 100."""
    end = threading.Event()
    started = []
    try:
        for _ in range(100):
            thread = threading.Thread(target=end.wait)
            thread.start()
            started.append(thread)
    except RuntimeError:
        pass
    end.set()
    return str(len(started))


def runaway() -> str:
    """What gives its life on to a child all the time, and bears no mark of the host."""
    return str(subprocess.Popen([sys.executable, "-I", "-S", "-c", RUNAWAY]).pid)


def limits() -> str:
    kinds = (resource.RLIMIT_DATA, resource.RLIMIT_NPROC, resource.RLIMIT_NOFILE)
    return " ".join(str(resource.getrlimit(kind)[0]) for kind in kinds) + f" {os.nice(0)}"


WAYS: dict[str, Callable[[], str]] = {
    "memory": memory,
    "memory_of_a_child": memory_of_a_child,
    "reserved": reserved,
    "threads": threads,
    "runaway": runaway,
    "limits": limits,
}


class Takes(Endpoint):
    def _invoke(self, r: Request, values: Mapping[str, Any], settings: Mapping[str, Any]) -> Response:  # noqa: ARG002
        return Response(WAYS[r.args["way"]]())
