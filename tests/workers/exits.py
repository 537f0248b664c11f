"""Ends its process, or tries to, while it answers: `way` says how.

With `gate` it does so within a stream, behind a first chunk, when the test lets it.
"""

import _thread
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from dify_plugin import Endpoint
from werkzeug import Request, Response


def interrupt() -> None:
    raise KeyboardInterrupt


def signal_itself(number: signal.Signals) -> None:
    os.kill(os.getpid(), number)
    signal.pause()


WAYS: dict[str, Callable[[], None]] = {
    "sys_exit": lambda: sys.exit(3),
    "thread_exit": _thread.exit,
    "interrupt": interrupt,
    "os_exit": lambda: os._exit(3),
    "abort": os.abort,
    "sigkill": lambda: signal_itself(signal.SIGKILL),
    "sigsegv": lambda: signal_itself(signal.SIGSEGV),
    "sigterm": lambda: signal_itself(signal.SIGTERM),
    "killpg": lambda: os.killpg(0, signal.SIGKILL),
}


class Exits(Endpoint):
    def _invoke(self, r: Request, values: Mapping[str, Any], settings: Mapping[str, Any]) -> Response:  # noqa: ARG002
        way = WAYS[r.args["way"]]
        if "gate" in r.args:
            return Response(self.stream(r.args["gate"], way))
        way()
        return Response("still here")

    def stream(self, gate: str, way: Callable[[], None]) -> Iterator[bytes]:
        yield b"first"
        with open(gate, "rb", buffering=0) as fifo:
            fifo.read(1)
        way()
        yield b"last"
