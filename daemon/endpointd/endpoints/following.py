"""Keeps the endpoints that a file declares equal to that file: at the start, and whenever it changes."""

import asyncio
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol, TypeAlias

import structlog

from endpointd.endpoints.declaration import Declaration, DeclarationInvalid, load
from endpointd.endpoints.declared import Declared
from endpointd.endpoints.errors import EndpointInvalid
from endpointd.endpoints.views import AppliedView
from endpointd.errors import OperatorError

LOOK = 1.0
"""Seconds between two checks. Polling works on every file system and with every way in which editors and deployments
replace a file. A file that looks the same at two checks is considered complete."""

Seen: TypeAlias = tuple[tuple[int, ...] | None, ...]
"""The state of each watched file, as `_state` tells it."""

log = structlog.get_logger()


class Declares(Protocol):
    async def declare(self, declared: Sequence[Declared], *, dry_run: bool) -> AppliedView: ...


class FileFollower:
    """Call `begin`, then `run`. A faulty file is reported once and changes nothing. It is tried again at every check,
    because a plugin that it names may be installed later, or a file that it refers to be created."""

    def __init__(self, path: Path, endpoints: Declares, environment: Mapping[str, str] = os.environ) -> None:
        self._path = path
        self._endpoints = endpoints
        self._environment = environment
        self._watched: tuple[Path, ...] = (path,)
        self._applied: Seen | None = None
        """The state of the files that were applied last; None while something is wrong with them."""
        self._told: tuple[str, ...] = ()
        """The faults that were reported last."""

    async def begin(self) -> None:
        """Apply the file once."""
        await self._apply(await self._look())

    async def run(self) -> None:
        """Apply the file whenever it has changed, until cancelled."""
        before = self._applied
        while True:
            await asyncio.sleep(LOOK)
            seen = await self._look()
            if seen == before and seen != self._applied:
                await self._apply(seen)
            before = seen

    async def _look(self) -> Seen:
        return await asyncio.to_thread(lambda: tuple(map(_state, self._watched)))

    async def _apply(self, seen: Seen) -> None:
        try:
            declaration = await asyncio.to_thread(load, self._path, self._environment)
            if self._watch(declaration):
                # The file refers to other files than before. Their state must be taken before they are read, so that no
                # later change is missed; so read everything again.
                seen = await self._look()
                declaration = await asyncio.to_thread(load, self._path, self._environment)
                self._watch(declaration)
            if await self._look() != seen:
                # A file was written while it was read, so a part may be missing. It is read again once it is unchanged.
                return
            done = await self._declare(declaration)
        except DeclarationInvalid as error:
            self._refuse(tuple(map(str, error.findings)))
        except OperatorError as error:
            # A fault of the store, which may be over at the next check.
            self._refuse((str(error),))
        else:
            self._accept(done)
            self._applied = seen

    async def _declare(self, declaration: Declaration) -> AppliedView:
        """Apply the declaration. Raises `DeclarationInvalid` with all faults."""
        try:
            done = await self._endpoints.declare(declaration.endpoints, dry_run=bool(declaration.faults))
        except EndpointInvalid as error:
            raise declaration.refused(error.faults) from None
        if declaration.faults:
            raise declaration.refused()
        return done

    def _watch(self, declaration: Declaration) -> bool:
        """Watch the files that the declaration refers to. Returns whether they are others than before."""
        before, self._watched = self._watched, (self._path, *declaration.references)
        return self._watched != before

    def _refuse(self, faults: tuple[str, ...]) -> None:
        self._applied = None
        if faults != self._told:
            log.error("endpoints.refused", file=str(self._path), faults=list(faults))
        self._told = faults

    def _accept(self, done: AppliedView) -> None:
        counts = {"created": len(done.create), "updated": len(done.update), "deleted": len(done.delete)}
        if self._told or any(counts.values()):
            log.info("endpoints.applied", file=str(self._path), **counts, unchanged=len(done.unchanged))
        self._told = ()


def _state(path: Path) -> tuple[int, ...] | None:
    """Numbers of which one differs after every change of the file, or of the target of a link; None if it is not
    there."""
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
