"""Measures how long transactions take, including the time that they wait for others."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from endpointd.supervisor.latencies import Latencies


class StoreTimes:
    """The durations of transactions. Thread-safe to add to; a reader may miss the newest ones."""

    def __init__(self) -> None:
        self.latencies = Latencies()
        self._lock = threading.Lock()

    @contextmanager
    def measured(self) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        finally:
            with self._lock:
                self.latencies.add(time.monotonic() - began)
