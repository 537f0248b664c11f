"""Rules that are made in several threads at once: werkzeug makes syntax trees of them, whose count is CPython's."""

import gc
import sys
import threading
from collections.abc import Iterator

import pytest

from endpointd.manifest.compiling import TRIES, compiled
from endpointd.manifest.model import Interface
from endpointd.plugins.routing import Matched, RouteTable

THREADS = 4
TABLES = 100
"""Of each thread. Without another try some of them fail with CPython 3.11, each time."""


class Litter:
    """Is only freed by a collection of garbage, which then runs code: another thread may have its turn."""

    def __init__(self) -> None:
        self.itself = self

    def __del__(self) -> None:
        sum(range(200))


@pytest.fixture
def restless() -> Iterator[None]:
    """Threads that interrupt each other all the time, and much garbage."""
    interval, threshold = sys.getswitchinterval(), gc.get_threshold()
    sys.setswitchinterval(1e-6)
    gc.set_threshold(50)
    yield
    sys.setswitchinterval(interval)
    gc.set_threshold(*threshold)


@pytest.mark.usefixtures("restless")
def test_threads_that_make_routes_do_not_disturb_each_other() -> None:
    failures: list[Exception] = []

    def make() -> None:
        try:
            for _ in range(TABLES):
                for _ in range(20):
                    Litter()
                table = RouteTable([Interface("/a/<int:b>/<path:c>", "GET", "a.py")])
                assert isinstance(table.match("/a/1/c", "GET", "", "/e/x"), Matched)
        except Exception as error:  # noqa: BLE001 - whatever it is
            failures.append(error)

    threads = [threading.Thread(target=make) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []


def test_what_never_succeeds_is_not_tried_for_ever() -> None:
    tried: list[None] = []

    def fail() -> None:
        tried.append(None)
        raise SystemError("always")

    with pytest.raises(SystemError, match="always"):
        compiled(fail)
    assert len(tried) == TRIES
