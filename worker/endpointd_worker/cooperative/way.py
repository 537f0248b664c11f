"""The cooperative way of running a plugin's code."""

import atexit
import os
from collections.abc import Callable
from typing import NoReturn

from endpointd_worker.cooperative.pool import GreenletPool
from endpointd_worker.cooperative.waits import OF_GREENLETS
from endpointd_worker.leaving import write_out
from endpointd_worker.link import Link
from endpointd_worker.streams import Stream
from endpointd_worker.ways import Way


def _start_greenlets(link: Link, run: Callable[[Stream], None], lost: Callable[[Exception], None]) -> None:
    GreenletPool(link, run, lost).start()


def end(status: int) -> NoReturn:
    """End the process now, after what is registered with `atexit`.

    Not by SystemExit: it would be raised in whichever greenlet runs, that of a request perhaps. And not through the
    interpreter's own end, which gevent's locks do not survive: each would leave a traceback in the plugin's log.
    """
    atexit._run_exitfuncs()
    write_out()
    os._exit(status)


IN_GREENLETS = Way(lambda: None, OF_GREENLETS, _start_greenlets, end, has_loop=False)
