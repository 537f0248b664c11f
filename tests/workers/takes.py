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
BOMB = "import os\nwhile True:\n    try:\n        os.fork()\n        os.setsid()\n    except OSError: pass"

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


def bomb() -> str:
    return str(subprocess.Popen([sys.executable, "-I", "-S", "-c", BOMB], start_new_session=True).pid)


def limits() -> str:
    kinds = (resource.RLIMIT_DATA, resource.RLIMIT_NPROC, resource.RLIMIT_NOFILE)
    return " ".join(str(resource.getrlimit(kind)[0]) for kind in kinds) + f" {os.nice(0)}"


WAYS: dict[str, Callable[[], str]] = {
    "memory": memory,
    "memory_of_a_child": memory_of_a_child,
    "reserved": reserved,
    "threads": threads,
    "bomb": bomb,
    "limits": limits,
}


class Takes(Endpoint):
    def _invoke(self, r: Request, values: Mapping[str, Any], settings: Mapping[str, Any]) -> Response:  # noqa: ARG002
        return Response(WAYS[r.args["way"]]())
