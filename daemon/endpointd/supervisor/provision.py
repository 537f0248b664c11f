"""Where a worker's interpreter comes from."""

import sys
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


class HostInterpreter:
    """The host's own, with the host's packages, for everybody."""

    async def find(self, order: WorkerOrder) -> Path | None:  # noqa: ARG002 - the protocol fixes the signature
        return Path(sys.executable)

    async def build(self, order: WorkerOrder, tell: Callable[[str], None]) -> Path:
        raise NotImplementedError
