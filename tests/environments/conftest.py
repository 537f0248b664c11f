"""A workshop: plugins with requirements, packages that are made here, and environments that are built of them."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from endpointd.environments.declared import needs_of
from endpointd.environments.service import Environments
from endpointd.environments.uv import UvOptions
from endpointd.folders.folder import PluginFolder
from endpointd.manifest.reading import read_plugin
from endpointd.supervisor.reaper import reaper
from endpointd.supervisor.users import Account
from endpointd.supervisor.worker import WorkerOrder
from support.plugins import write_plugin
from support.wheels import no_index, wheelhouse

HERE = f"{sys.version_info.major}.{sys.version_info.minor}"


class Workshop:
    """`folder` is everybody's; packages are in `packages`, environments in `root`."""

    def __init__(self, folder: Path, packages: Path, cache: Path) -> None:
        self.folder = folder
        self.packages = packages
        self.cache = cache
        self.root = folder / "environments"
        self.lines: list[str] = []
        self.interpreters: list[Path] = []
        self.environments: Environments

    def order(
        self, files: dict[str, str] | str, name: str = "duck", account: Account | None = None, clock: float = 60.0
    ) -> WorkerOrder:
        """An order for the plugin with these files, or with this requirements.txt."""
        texts = {"requirements.txt": files} if isinstance(files, str) else files
        plugin = write_plugin(self.folder, name, {"says.py": "", **texts}, [("GET", "/", "says.py")])
        manifest = plugin / "manifest.yaml"
        manifest.write_text(manifest.read_text().replace("'3.12'", f"'{HERE}'"))
        reading = read_plugin(PluginFolder(plugin))
        assert reading.plugin is not None, reading.findings
        needs, findings = needs_of(plugin, reading.plugin, name)
        assert not findings, findings
        return WorkerOrder(
            plugin, (), {}, 1, False, clock_start=10, clock_kill=5, needs=needs, clock_build=clock, account=account
        )

    def play(self, scenario: Callable[[], Awaitable[None]], at_once: int = 2) -> None:
        """Run it with environments of its own; nothing is left behind."""

        async def main() -> None:

            self.environments = Environments(self.root, self._options, lambda: self.interpreters, at_once)
            reaper.start()
            try:
                async with asyncio.timeout(60):
                    await scenario()
            finally:
                await self.environments.close()
                await reaper.stop()

        asyncio.run(main())
        assert self.left() == []

    def _options(self, user: int) -> UvOptions:
        return UvOptions(find_links=(str(self.packages),), cache=self.cache / str(user))

    async def build(self, order: WorkerOrder) -> Path:
        return await self.environments.build(order, self.lines.append)

    def left(self) -> list[str]:
        """What is not whole, or was not tidied up."""
        return [path.name for path in self.root.glob(".*")]

    def there(self) -> list[str]:
        return sorted(path.name for path in self.root.iterdir() if not path.name.startswith("."))


@pytest.fixture(scope="session")
def shared_packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return wheelhouse(tmp_path_factory.mktemp("wheels") / "wheels")


@pytest.fixture
def workshop(
    tmp_path: Path, shared_packages: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Workshop:
    monkeypatch.setenv("UV_DEFAULT_INDEX", no_index(tmp_path / "index"))
    packages = tmp_path / "packages"
    packages.mkdir()
    for made in shared_packages.iterdir():
        (packages / made.name).symlink_to(made)
    return Workshop(tmp_path, packages, tmp_path_factory.getbasetemp() / "uv-cache")
