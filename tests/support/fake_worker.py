"""A worker without a process, whose fate a test decides; and a supervisor of such workers, in virtual time."""

import asyncio
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from endpointd.channel.exchange import Exchange
from endpointd.supervisor import foreman as module
from endpointd.supervisor.provision import Provider
from endpointd.supervisor.recycling import Bounds
from endpointd.supervisor.rules import Rules
from endpointd.supervisor.starts import Starts
from endpointd.supervisor.state import Policy
from endpointd.supervisor.supervisor import Supervisor
from endpointd.supervisor.worker import StartFailed, WorkerOrder


class FakeWorker:
    """Becomes ready when the test says `ready`, and ends when it says `die`, or when it is told to end."""

    made: list["FakeWorker"]

    def __init__(
        self,
        order: WorkerOrder,
        _line: Any,  # noqa: ANN401
        _record: Any,  # noqa: ANN401
        freed: Any,  # noqa: ANN401
        cancelled: Any,  # noqa: ANN401
        _answer: Any,  # noqa: ANN401
    ) -> None:
        self.order = order
        self.made_at = asyncio.get_running_loop().time()
        self.pid: int | None = None
        self.in_flight = 0
        self.is_busy = False
        self.requests = 0
        self.places = 4
        self.verdict = "worker_died"
        self.bad_frame = None
        self.looked_at: list[float] = []
        self._freed: Callable[[], None] = freed
        self._cancelled: Callable[[FakeWorker, Exchange], None] = cancelled
        self._started: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        FakeWorker.made.append(self)

    # For the test

    def ready(self) -> None:
        self._started.set_result(None)

    def refuse(self, code: str = "load_failed", *problems: str | dict[str, Any]) -> None:
        self._end("exited with status 1")
        told = [{"code": problem} if isinstance(problem, str) else problem for problem in problems]
        self._started.set_exception(StartFailed(code, "it cannot", told))

    def die(self, how: str = "was killed by SIGKILL") -> None:
        if not self._started.done():
            self._started.set_exception(StartFailed("worker_died", f"the worker {how} before it was ready"))
        self._end(how)

    def leave_a_request_in_its_thread(self) -> None:
        self._cancelled(self, _NeverOver())  # type: ignore[arg-type]

    @property
    def is_alive(self) -> bool:
        return self.pid is not None and not self._ended.done()

    # As the real one

    def free_places(self) -> int:
        return self.places if self._started.done() and self.is_alive else 0

    def doubt(self) -> None:
        """It answers at once."""

    def look(self, now: float) -> None:
        self.looked_at.append(now)

    async def start(self, _python: Path) -> None:
        self.pid = 1000 + len(FakeWorker.made)
        try:
            await asyncio.shield(self._started)
        except asyncio.CancelledError:
            self._end("was killed")
            raise

    async def ended(self) -> str:
        return await asyncio.shield(self._ended)

    async def drain(self, _seconds: float) -> str:
        self._end("exited with status 0")
        return await self.ended()

    async def kill(self) -> str:
        self._end("was killed by SIGKILL")
        return await self.ended()

    def _end(self, how: str) -> None:
        if not self._ended.done():
            self._ended.set_result(how)


class _NeverOver:
    is_over = False
    request = interface = ""


class HostInterpreter:
    """The host's own, for everybody: nothing has to be built."""

    async def find(self, _order: WorkerOrder) -> Path | None:
        return Path(sys.executable)

    async def build(self, _order: WorkerOrder, _tell: Callable[[str], None]) -> Path:
        raise NotImplementedError


def order(release: str) -> WorkerOrder:
    return WorkerOrder(Path("/nowhere"), (), {}, 4, False, clock_start=1, clock_kill=1, release=release)


def rules(**changes: Any) -> Rules:  # noqa: ANN401 - whatever a rule is
    usual: dict[str, Any] = {
        "queue_size": 8,
        "clock_queue": 10.0,
        "clock_drain": 1.0,
        "clock_cancel_grace": 1.0,
        "restart_longest": 60.0,
        "policy": Policy(5, 10.0),
        "bounds": Bounds(),
    }
    return Rules(**(usual | changes))


class Stage:
    """A supervisor of fake workers, and the releases that requests went to, in order; `proved` are those
    that have shown that they serve, at each look."""

    def __init__(self, first: str = "v1", provider: Provider | None = None, **changes: Any) -> None:  # noqa: ANN401
        self.served: list[str | None] = []
        self.proved: list[str | None] = []
        self.rules = rules(**changes)
        self.provider = provider or HostInterpreter()
        self.supervisor = Supervisor(
            "someone/duck",
            order(first),
            self.rules,
            Starts(4),
            lambda order: self.served.append(order.release),
            lambda order: self.proved.append(order.release),
            self.provider,
        )

    def takes(self) -> object:
        """The worker that a request would be given now."""
        return self.supervisor.admission.enter_at_once()

    def present(self) -> object:
        return self.supervisor.crew.worker

    async def begin(self) -> FakeWorker:
        """Start it, with a worker that is ready."""
        self.supervisor.start()
        worker = await self.newest()
        worker.ready()
        await settle()
        return worker

    async def newest(self) -> FakeWorker:
        """The last worker that was made, when it has been started."""
        await settle()
        return FakeWorker.made[-1]

    def change(self, release: str) -> None:
        self.supervisor.replace(order(release), self.rules)


async def settle() -> None:
    """Let everything that is ready run."""
    for _ in range(10):
        await asyncio.sleep(0)


@contextmanager
def fake_workers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    FakeWorker.made = []
    with monkeypatch.context() as patch:
        patch.setattr(module, "Worker", FakeWorker)
        yield
