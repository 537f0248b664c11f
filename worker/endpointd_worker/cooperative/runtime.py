"""The runtime that runs a plugin's code in greenlets."""

import atexit
import os
from collections.abc import Callable
from typing import NoReturn

from endpointd_worker.cooperative.pool import GreenletPool
from endpointd_worker.cooperative.waits import GREENLET_WAITS
from endpointd_worker.exiting import write_out
from endpointd_worker.link import Link
from endpointd_worker.runtimes import Runtime
from endpointd_worker.streams import Stream


def _start_greenlets(link: Link, run: Callable[[Stream], None], lost: Callable[[Exception], None]) -> None:
    GreenletPool(link, run, lost).start()


def _exit(status: int) -> NoReturn:
    """End the process now, after the `atexit` functions.

    Not by SystemExit, which would be raised in whichever greenlet runs, perhaps that of a request. And without
    finalizing the interpreter: each of gevent's locks would then leave a traceback in the plugin's log.
    """
    atexit._run_exitfuncs()
    write_out()
    os._exit(status)


GREENLETS = Runtime(lambda: None, GREENLET_WAITS, _start_greenlets, _exit, has_loop=False)
