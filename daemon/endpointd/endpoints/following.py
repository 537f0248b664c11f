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
"""Seconds between two looks. Looking works on every file system, and whatever way an editor or a deployment has of
putting a file into its place; what is seen twice alike is taken for finished."""

Seen: TypeAlias = tuple[tuple[int, ...] | None, ...]

log = structlog.get_logger()


class Declares(Protocol):
    async def declare(self, declared: Sequence[Declared], *, dry_run: bool) -> AppliedView: ...


class FileFollower:
    """`begin`, then `run`. What is wrong with the file is told once, changes nothing, and is tried again at every look:
    a plugin that it names may be installed later, and a file that it refers to be put there."""

    def __init__(self, path: Path, endpoints: Declares, environment: Mapping[str, str] = os.environ) -> None:
        self._path = path
        self._endpoints = endpoints
        self._environment = environment
        self._watched: tuple[Path, ...] = (path,)
        self._applied: Seen | None = None
        """How the files were that are in effect; None while something is wrong."""
        self._told: tuple[str, ...] = ()

    async def begin(self) -> None:
        await self._apply(await self._look())

    async def run(self) -> None:
        """Until it is cancelled."""
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
                # What was not known is looked at before it is read, so that no change of it is missed.
                seen = await self._look()
                declaration = await asyncio.to_thread(load, self._path, self._environment)
                self._watch(declaration)
            if await self._look() != seen:
                # It was written while it was read, so half of it may be missing. It is read again when it is at rest.
                return
            done = await self._declare(declaration)
        except DeclarationInvalid as error:
            self._refuse(tuple(map(str, error.findings)))
        except OperatorError as error:
            # The store's: it may be over at the next look.
            self._refuse((str(error),))
        else:
            self._accept(done)
            self._applied = seen

    async def _declare(self, declaration: Declaration) -> AppliedView:
        """Raises `DeclarationInvalid` with all that is wrong."""
        try:
            done = await self._endpoints.declare(declaration.endpoints, dry_run=bool(declaration.faults))
        except EndpointInvalid as error:
            raise declaration.refused(error.faults) from None
        if declaration.faults:
            raise declaration.refused()
        return done

    def _watch(self, declaration: Declaration) -> bool:
        """Whether that is more, or something else, than until now."""
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
    """What changes with every change of the file, or of what a link leads to."""
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
