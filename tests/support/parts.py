"""The parts of a daemon that keep plugins, put together as the daemon does it: real files, fake workers, no HTTP."""

import asyncio
import io
import tarfile
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from endpointd.endpoints.book import Book
from endpointd.plugins.following import FolderFollower
from endpointd.plugins.intake import Intake
from endpointd.plugins.operations import Operations
from endpointd.plugins.pins import Pins
from endpointd.plugins.plugins import Plugins
from endpointd.plugins.releases import Releases
from endpointd.plugins.rollbacks import Rollbacks
from endpointd.settings.settings import Settings
from endpointd.supervisor import foreman as module
from endpointd.supervisor.state import State
from support.fake_worker import FakeWorker, HostInterpreter, settle
from support.plugins import write_plugin

DUCK = "test/duck"
"""The plugin that `Parts.write` writes."""

WHY = r"it cannot \[load_failed\]: says\.py:9: invalid syntax \[syntax_error\]; the "
"""What is told of one that does not run."""


class WillingWorker(FakeWorker):
    """Becomes ready by itself, unless what it is to run holds `BROKEN`; ends when `may_end` is set."""

    BROKEN = "broken"
    may_end: asyncio.Event

    async def start(self, python: Path) -> None:
        if not self.order.folder.is_dir() or self.BROKEN in (self.order.folder / "says.py").read_text():
            problem = {"code": "syntax_error", "file": "says.py", "line": 9, "message": "invalid syntax"}
            self.refuse("load_failed", problem)
        else:
            self.ready()
        await super().start(python)

    async def drain(self, seconds: float) -> str:
        await WillingWorker.may_end.wait()
        return await super().drain(seconds)


@contextmanager
def willing_workers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No process, and no trial that anybody waits for."""
    FakeWorker.made = []
    with monkeypatch.context() as patch:
        patch.setattr(module, "Worker", WillingWorker)
        patch.setattr(module, "TRIAL", 0.0)
        yield


class Parts:
    """`write` changes a folder, `look` takes the changes in."""

    def __init__(self, root: Path) -> None:
        self.directory = root / "plugins"
        self.directory.mkdir()
        (root / "state").mkdir()
        self.settings = Settings(plugins=self.directory, state=root / "state")
        self.releases = Releases(root / "state" / "releases")
        self.pins = Pins(root / "state" / "pins.json")
        self.begin()

    def begin(self) -> None:
        """As a daemon that starts."""
        intake = Intake(self.directory, self.releases)
        self.rollbacks = Rollbacks(self.pins, self.releases, intake, lambda: self.settings.releases_kept)
        self.plugins = Plugins(self.settings, self.rollbacks.choose, self._in_service, Book(), HostInterpreter())
        self._recorded: asyncio.Queue[str] = asyncio.Queue()
        self.follower = FolderFollower(self.directory, intake, self.plugins, self.rollbacks.prepare)
        self.operations = Operations(
            self.directory, self.plugins, self.follower, self.rollbacks, lambda: "http://here", self._reload
        )

    async def _in_service(self, plugin_id: str, digests: list[str]) -> None:
        await self.rollbacks.in_service(plugin_id, digests)
        self._recorded.put_nowait(plugin_id)

    async def recorded(self) -> None:
        """Wait until one more version is recorded as having served."""
        await self._recorded.get()

    async def _reload(self) -> list[str]:
        self.plugins.apply(self.settings)
        return []

    def write(self, text: str, folder: str = "duck", name: str = "duck") -> None:
        made = self.directory / folder
        if made.exists():
            (made / "says.py").write_text(text)
        else:
            bench = self.directory.parent / "bench"
            write_plugin(bench, name, {"says.py": text}, [("GET", "/", "says.py")]).rename(made)

    async def look(self, *folders: str) -> None:
        await self.follower.refresh(folders or ("duck",))
        await self.plugins.settled()

    def runs(self, plugin_id: str = DUCK) -> str:
        """What the present worker runs: the text of the source."""
        worker = self.plugins.find(plugin_id).supervisor.crew.worker
        assert worker is not None
        return (worker.order.folder / "says.py").read_text()

    def state(self) -> State:
        return self.plugins.find(DUCK).supervisor.life.state

    def told(self) -> tuple[bool, bool]:
        """Whether an older version answers than the folder's, and whether a failure is told of that is not over."""
        status = self.operations.status(DUCK)
        return status.behind, status.trouble is not None

    def archive(self, text: str) -> io.BytesIO:
        bench = Path(tempfile.mkdtemp(dir=self.directory.parent))
        made = write_plugin(bench, "duck", {"says.py": text}, [("GET", "/", "says.py")])
        file = io.BytesIO()
        with tarfile.open(fileobj=file, mode="w") as tar:
            tar.add(made, ".")
        file.seek(0)
        return file


def play(root: Path, scenario: Callable[[Parts], Awaitable[None]]) -> None:
    async def main() -> None:
        WillingWorker.may_end = asyncio.Event()
        WillingWorker.may_end.set()
        parts = Parts(root)
        try:
            async with asyncio.timeout(20):
                await scenario(parts)
        finally:
            WillingWorker.may_end.set()
            async with asyncio.timeout(5):
                await parts.plugins.stop()
        assert not [worker for worker in FakeWorker.made if worker.is_alive]

    asyncio.run(main())


__all__ = ["DUCK", "WHY", "FakeWorker", "Parts", "WillingWorker", "play", "settle", "willing_workers"]
