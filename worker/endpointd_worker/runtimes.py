"""The two ways of running a plugin's code, in threads or in greenlets, and what differs between them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn, TypeAlias

from endpointd_worker.exiting import process_exit
from endpointd_worker.link import Link
from endpointd_worker.pool import Pool
from endpointd_worker.streams import Stream
from endpointd_worker.waits import THREAD_WAITS, Waits

Run: TypeAlias = Callable[[Stream], None]
"""Answers a stream, or starts a task that does. Never raises."""

StartPool: TypeAlias = Callable[[Link, Run, Callable[[Exception], None]], None]
"""Starts to read the wire and to run requests. The last argument is called, with the reason, when no more requests can
be answered."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """`prepare` is called before the plugin is imported. `exit` ends the process; it is also called in a signal
    handler, whatever code has been interrupted. `has_loop`: whether async endpoints are possible."""

    prepare: Callable[[], object]
    waits: Waits
    start_pool: StartPool
    exit: Callable[[int], NoReturn]
    has_loop: bool


def _start_threads(link: Link, run: Run, lost: Callable[[Exception], None]) -> None:
    Pool(link, run, lost).start()


THREADS = Runtime(process_exit.prepare, THREAD_WAITS, _start_threads, process_exit.exit, has_loop=True)
