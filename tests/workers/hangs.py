"""Does not come back, or not when it is asked to: `way` says how. `hold` keeps the interpreter for itself.

Importing it makes the process deaf to SIGTERM; `thread` leaves a thread that no exit waits out, and `closing` answers
but never has done with it.
"""

import ctypes
import os
import signal
import threading
from collections.abc import Callable, Mapping
from typing import Any

from dify_plugin import Endpoint
from werkzeug import Request, Response

signal.signal(signal.SIGTERM, signal.SIG_IGN)


def spin() -> None:
    while True:
        pass


def stop() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)
    # It is some other thread that takes the signal, and this one may run on until then.
    threading.Event().wait()


def hold_for_ever() -> None:
    # A thread inherits being a daemon; this one is to be waited for at the end.
    threading.Thread(target=threading.Event().wait, name="for ever", daemon=False).start()


def hold() -> None:
    # Native code that does not let go of the interpreter.
    ctypes.PyDLL(None).pause()


WAYS: dict[str, Callable[[], object]] = {
    "sleep": threading.Event().wait,
    "spin": spin,
    "stop": stop,
    "thread": hold_for_ever,
    "hold": hold,
}


class Hangs(Endpoint):
    def _invoke(self, r: Request, values: Mapping[str, Any], settings: Mapping[str, Any]) -> Response:  # noqa: ARG002
        response = Response("back")
        if r.args["way"] == "closing":
            response.call_on_close(threading.Event().wait)
        else:
            WAYS[r.args["way"]]()
        return response
