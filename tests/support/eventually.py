"""Waiting for what only asking again can tell."""

import select
import time
from collections.abc import Callable

WAIT_SECONDS = 10.0
_PAUSE = 0.01


def eventually(holds: Callable[[], bool], seconds: float = WAIT_SECONDS) -> float:
    """Ask until it holds; returns after how many seconds. AssertionError: it did not within `seconds`."""
    began = time.monotonic()
    while not holds():
        if time.monotonic() - began > seconds:
            raise AssertionError(f"{holds} did not hold within {seconds:g} s")
        select.select([], [], [], _PAUSE)
    return time.monotonic() - began
