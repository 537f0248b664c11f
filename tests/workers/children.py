"""Starts processes that outlive the request: `way` says how. Answers with the child's pid."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any

from dify_plugin import Endpoint
from werkzeug import Request, Response

FOR_EVER = [sys.executable, "-c", "import signal; signal.pause()"]


def fork_and_pause() -> int:
    child = os.fork()
    if not child:
        import signal

        while True:
            signal.pause()
    return child


def fork_and_leave() -> int:
    """The child goes on as if it were the worker: it returns from `_invoke`."""
    return os.fork() or os.getpid()


def fork_and_session() -> int:
    child = os.fork()
    if not child:
        os.setsid()
        os.execv(FOR_EVER[0], FOR_EVER)
    return child


def fork_and_exit() -> int:
    child = os.fork()
    if not child:
        sys.exit(0)
    return child


def orphan_of_its_own() -> int:
    """The child leaves the session, its parent and its environment behind, as programs that become daemons do."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if not child:
        os.write(write_end, str(subprocess.Popen(FOR_EVER, start_new_session=True, env={}).pid).encode())
        os._exit(0)
    os.waitpid(child, 0)
    return int(os.read(read_end, 100))


WAYS: dict[str, Callable[[], int]] = {
    "fork": fork_and_pause,
    "fork_leave": fork_and_leave,
    "fork_exit": fork_and_exit,
    "fork_session": fork_and_session,
    "subprocess": lambda: subprocess.Popen(FOR_EVER).pid,
    "all_descriptors": lambda: subprocess.Popen(FOR_EVER, close_fds=False).pid,
    "orphan": orphan_of_its_own,
    "session": lambda: subprocess.Popen(FOR_EVER, start_new_session=True).pid,
}


class Children(Endpoint):
    def _invoke(self, r: Request, values: Mapping[str, Any], settings: Mapping[str, Any]) -> Response:  # noqa: ARG002
        return Response(str(WAYS[r.args["way"]]()))
