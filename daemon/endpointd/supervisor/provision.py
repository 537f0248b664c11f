"""The interface of whatever provides the Python interpreters of workers."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from endpointd.supervisor.worker import WorkerOrder


class Provider(Protocol):
    async def find(self, order: WorkerOrder) -> Path | None:
        """The interpreter for a worker of `order`; None if its environment has to be built first.

        Raises `StartFailed` if there can be none."""

    async def build(self, order: WorkerOrder, tell: Callable[[str], None]) -> Path:
        """Build the environment, and return its interpreter. `tell` is called with lines of progress. Raises
        `StartFailed`. Cancel it if the environment is no longer wanted."""
