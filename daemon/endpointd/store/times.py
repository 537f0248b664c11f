"""How long transactions take, the waiting for others included."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from endpointd.supervisor.latencies import Latencies


class StoreTimes:
    """Several threads add to it; who reads may miss the newest."""

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
