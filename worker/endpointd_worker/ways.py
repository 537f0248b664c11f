"""The two ways of running a plugin's code, and what differs between them."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn, TypeAlias

from endpointd_worker.link import Link
from endpointd_worker.pool import Pool
from endpointd_worker.streams import Stream
from endpointd_worker.waits import OF_THREADS, Waits

StartPool: TypeAlias = Callable[[Link, Callable[[Stream], None], Callable[[Exception], None]], None]


@dataclass(frozen=True, slots=True)
class Way:
    """`exit` ends the process from whatever code of the plugin's a signal has come upon."""

    waits: Waits
    start_pool: StartPool
    exit: Callable[[int], NoReturn]


def _start_threads(link: Link, run: Callable[[Stream], None], lost: Callable[[Exception], None]) -> None:
    Pool(link, run, lost).start()


IN_THREADS = Way(OF_THREADS, _start_threads, sys.exit)
