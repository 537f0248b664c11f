"""Changes the process around itself: `way` says what."""

import logging
import os
import resource
import shutil
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

import msgpack
from dify_plugin import Endpoint
from werkzeug import Request, Response


def refuse(*_: object, **__: object) -> NoReturn:
    raise RuntimeError("replaced by the plugin")


def replace_threading() -> None:
    for name in ("Thread", "Lock", "RLock", "Condition", "Event", "Semaphore", "current_thread"):
        setattr(threading, name, refuse)


def forbid_threads() -> None:
    """As if the system had no more of them to give."""
    threading.Thread.start = refuse  # type: ignore[method-assign]


def replace_socket() -> None:
    for name in ("socket", "socketpair", "create_connection", "SocketType"):
        setattr(socket, name, refuse)


def replace_msgpack() -> None:
    for name in ("packb", "unpackb", "Packer", "Unpacker", "ExtType"):
        setattr(msgpack, name, refuse)


def replace_time() -> None:
    for name in ("time", "monotonic", "sleep", "thread_time"):
        setattr(time, name, refuse)


def forget_modules() -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] in ("endpointd_wire", "msgpack", "werkzeug")]:
        del sys.modules[name]


def silence_logging() -> None:
    logging.disable(logging.CRITICAL)
    logging.getLogger().handlers.clear()


def close_streams() -> None:
    sys.stdout.close()
    sys.stderr.close()


def drop_streams() -> None:
    sys.stdout = sys.stderr = None


def delete_itself() -> None:
    shutil.rmtree(Path(__file__).parent)


def limit_files() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))


def ignore_signals() -> None:
    """Only the main thread may set handlers; a mask is each thread's own."""
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())


def start_thread() -> None:
    # A thread inherits being a daemon; this one is to be waited for at the end.
    threading.Thread(target=threading.Event().wait, name="for ever", daemon=False).start()


def change_interpreter() -> None:
    sys.setrecursionlimit(80)
    sys.setswitchinterval(0.5)


WAYS: dict[str, Callable[[], object]] = {
    "chdir": lambda: os.chdir("/"),
    "umask": lambda: os.umask(0o777),
    "environ": os.environ.clear,
    "path": sys.path.clear,
    "modules": forget_modules,
    "threading": replace_threading,
    "threads": forbid_threads,
    "socket": replace_socket,
    "msgpack": replace_msgpack,
    "time": replace_time,
    "logging": silence_logging,
    "close_streams": close_streams,
    "drop_streams": drop_streams,
    "files": limit_files,
    "signals": ignore_signals,
    "interpreter": change_interpreter,
    "timeout": lambda: socket.setdefaulttimeout(0.001),
    "thread": start_thread,
    "delete": delete_itself,
}


class Surroundings(Endpoint):
    def _invoke(self, r: Request, values: Mapping[str, Any], settings: Mapping[str, Any]) -> Response:  # noqa: ARG002
        if r.args["way"] == "read":
            return Response(str(len(r.get_data())))
        WAYS[r.args["way"]]()
        return Response("changed")
