"""Follows the plugins directory: keeps the plugins that are served equal to the folders that are there."""

import asyncio
import os
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog

from endpointd.errors import OperatorError
from endpointd.folders.digest import Signature, signature
from endpointd.folders.resting import had_rested
from endpointd.folders.settling import QUIET, Settling
from endpointd.folders.watch import RESCAN, News, watch
from endpointd.manifest.findings import Finding, Severity
from endpointd.plugins.catalog import Entry
from endpointd.plugins.intake import Intake
from endpointd.plugins.plugins import Plugins
from endpointd.plugins.releases import FolderChanged

PASSING = frozenset({"release_disk_full", "release_not_written"})
"""Codes of findings whose cause may disappear without a change of the folder."""

RETRY = 5.0
"""Seconds after which a folder with such a finding is read again."""

log = structlog.get_logger()


class FolderFollower:
    """Call `begin` first, then `run`; `refresh` at any time. `prepare` is called in a thread, with each entry before it
    is served."""

    def __init__(
        self,
        directory: Path,
        intake: Intake,
        plugins: Plugins,
        prepare: Callable[[Entry], None] = lambda _: None,
    ) -> None:
        self._directory = directory
        self._intake = intake
        self._plugins = plugins
        self._prepare = prepare
        self._entries: dict[str, Entry] = {}
        self._signatures: dict[str, Signature] = {}
        self._settling = Settling()
        self._roused = asyncio.Event()

    async def begin(self) -> None:
        """Serve the plugins that are there. Raises `UsageError` if the directory cannot be listed."""
        names = await asyncio.to_thread(self._intake.names)
        await self.refresh(names)

    async def refresh(self, names: Iterable[str]) -> None:
        """Read these folders as they are now, and serve them. A folder that changes meanwhile is read later, by `run`,
        when it is at rest."""
        async with self._plugins.taking:
            for name in names:
                await self._take(name, patient=False)
            self._plugins.adopt(self._entries.values())

    async def run(self, poll: bool | None) -> None:
        """Follow changes until cancelled. `poll` is as for `watch`: None means that the file system decides."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._listen(poll))
            group.create_task(self._follow())

    # Changes

    async def _listen(self, poll: bool | None) -> None:
        async for names in watch(self._directory, poll):
            with _guarded():
                await self._hear(names)

    async def _hear(self, names: News) -> None:
        now = self._now()
        changed = await self._changed_since_read() if names is RESCAN else names
        rested = await asyncio.to_thread(self._rested, changed - self._entries.keys())
        for name in changed:
            self._settling.changed(name, now)
        for name in rested:
            self._settling.rested(name, now)
        self._roused.set()

    def _rested(self, names: set[str]) -> list[str]:
        """Of these new folders, those that were moved in complete, so that they need not be waited for."""
        return [name for name in names if had_rested(self._directory / name, QUIET)]

    async def _changed_since_read(self) -> set[str]:
        """The folders that have changed since they were read. Empty if the directory itself is missing: the plugins
        continue to be served, and are compared again when the directory is back."""
        try:
            return await asyncio.to_thread(self._compare)
        except OperatorError as error:
            log.error("plugins.unreadable", message=error.message, remedy=error.remedy)
            return set()

    def _compare(self) -> set[str]:
        names = self._intake.names()
        gone = set(self._entries) - set(names)
        return gone | {name for name in names if self._signatures.get(name) != signature(self._directory / name)}

    async def _follow(self) -> None:
        while True:
            due = self._settling.next_due()
            timeout = None if due is None else max(0.0, due - self._now())
            try:
                async with asyncio.timeout(timeout):
                    await self._roused.wait()
            except TimeoutError:
                pass
            self._roused.clear()
            with _guarded():
                await self._take_due()

    async def _take_due(self) -> None:
        names = self._settling.due(self._now())
        if not names or not await asyncio.to_thread(os.path.isdir, self._directory):
            return
        async with self._plugins.taking:
            for name in names:
                await self._take(name, patient=True)
            # If a folder was renamed, the new name may be due before the old one, and would be refused as a duplicate.
            for name in await asyncio.to_thread(self._left_for, names):
                await self._take(name, patient=True)
            self._plugins.adopt(self._entries.values())

    def _left_for(self, names: Collection[str]) -> list[str]:
        """The folders that no longer exist and whose plugin is now in one of the folders `names`."""
        ids = {name: entry.plugin.id for name, entry in self._entries.items() if entry.plugin is not None}
        found = {ids[name] for name in names if name in ids}
        return [name for name, plugin_id in ids.items() if plugin_id in found and not self._intake.exists(name)]

    # Taking in

    async def _take(self, name: str, *, patient: bool) -> None:
        """Read one folder into `_entries`. With `patient`, an invalid folder may be an unfinished copy, and is read
        again later before it is reported."""
        seen = ""
        try:
            if not await asyncio.to_thread(self._intake.exists, name):
                self._entries.pop(name, None)
                self._signatures.pop(name, None)
                return
            seen = await asyncio.to_thread(signature, self._directory / name)
            entry = await asyncio.to_thread(self._intake.take, name)
            await asyncio.to_thread(self._prepare, entry)
        except FolderChanged:
            self._settling.changed(name, self._now())
            self._roused.set()
            return
        except Exception as error:
            # A defect that shows with one folder must not stop the others or the daemon.
            log.critical("plugins.defect", folder=name, exc_info=True)
            entry = Entry(name, None, (_defect(error),))
        if entry.plugin is None and patient and self._settling.incomplete(name, self._now()):
            return
        self._signatures[name] = seen
        self._entries[name] = entry
        if any(finding.code in PASSING for finding in entry.findings):
            asyncio.get_running_loop().call_later(RETRY, self._look_again, name)

    def _look_again(self, name: str) -> None:
        self._settling.changed(name, self._now())
        self._roused.set()

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


@contextmanager
def _guarded() -> Iterator[None]:
    """Log any exception within the block, so that the loop around it continues."""
    try:
        yield
    except Exception:
        log.critical("plugins.defect", exc_info=True)


def _defect(error: Exception) -> Finding:
    message = f"the daemon has failed at this folder: {error!r}"
    remedy = "please report it, with the traceback in the daemon's log"
    return Finding(Severity.ERROR, "folder_defect", message, None, None, None, remedy)
