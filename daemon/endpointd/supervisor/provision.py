"""Where a worker's interpreter comes from."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from endpointd.supervisor.worker import WorkerOrder


class Provider(Protocol):
    async def find(self, order: WorkerOrder) -> Path | None:
        """The interpreter that a worker of `order` is to run on; None when its environment has to be built first.

        Raises `StartFailed` when there can be none."""

    async def build(self, order: WorkerOrder, tell: Callable[[str], None]) -> Path:
        """Build the environment; `tell` gets a line whenever there is news. Raises `StartFailed`. Who is cancelled no
        longer wants it."""
