"""The two ways of running a plugin's code, and what differs between them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn, TypeAlias

from endpointd_worker.leaving import end
from endpointd_worker.link import Link
from endpointd_worker.pool import Pool
from endpointd_worker.streams import Stream
from endpointd_worker.waits import OF_THREADS, Waits

Run: TypeAlias = Callable[[Stream], None]
"""Answers a stream, or has it answered. Never raises."""

StartPool: TypeAlias = Callable[[Link, Run, Callable[[Exception], None]], None]


@dataclass(frozen=True, slots=True)
class Way:
    """`prepare` is called before there is code of the plugin's; `exit` ends the process from whatever of that a signal
    has come upon; `has_loop` tells whether there may be a loop for tasks beside the threads."""

    prepare: Callable[[], object]
    waits: Waits
    start_pool: StartPool
    exit: Callable[[int], NoReturn]
    has_loop: bool


def _start_threads(link: Link, run: Run, lost: Callable[[Exception], None]) -> None:
    Pool(link, run, lost).start()


IN_THREADS = Way(end.prepare, OF_THREADS, _start_threads, end.exit, has_loop=True)
