"""Builds one environment in a temporary folder, and gives it its final name when it is complete."""

import asyncio
import errno
import os
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ParamSpec, TypeVar

from endpointd.environments.additions import PRIVATE, additions_to
from endpointd.environments.declared import still_asks_for
from endpointd.environments.failures import EnvironmentFailed, disk_full
from endpointd.environments.interpreters import Interpreter
from endpointd.environments.needs import Needs, Source
from endpointd.environments.sealing import seal
from endpointd.environments.shelf import Shelf, Workplace, note, python_of
from endpointd.environments.uv import Uv, UvOptions, environment
from endpointd.supervisor.users import Account

P = ParamSpec("P")
T = TypeVar("T")

MAX_PACKAGES = 10_000
"""The largest number of installed packages that is read from uv's list."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What is to be built, from the files in `folder`. uv runs as `account`; None is the daemon's own user."""

    key: str
    needs: Needs
    interpreter: Interpreter
    folder: Path
    account: Account | None


async def build(shelf: Shelf, recipe: Recipe, options: UvOptions, tell: Callable[[str], None]) -> Path:
    """Build an environment; returns the path of its interpreter. `tell` gets each line of uv's output. Raises
    `EnvironmentFailed`. If it raises or is cancelled, it removes everything that it has written."""
    began = time.time()
    try:
        async with _workplace(shelf, recipe, options) as place:
            await _Build(recipe, place, options, tell).run()
            if recipe.account is not None:
                await _in_thread(seal, place.env)
            version = ".".join(map(str, recipe.interpreter.version))
            record = note(version, recipe.needs.source, str(recipe.folder), began)
            return await _in_thread(shelf.put, place, recipe.key, record)
    except OSError as error:
        message = f"{error.strerror or error} ({error.filename or shelf.root})"
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise disk_full(message) from error
        remedy = "let the user that runs the daemon write to the state directory"
        raise EnvironmentFailed(
            "environment_not_written", f"its environment cannot be written: {message}", remedy
        ) from error


@asynccontextmanager
async def _workplace(shelf: Shelf, recipe: Recipe, options: UvOptions) -> AsyncIterator[Workplace]:
    place = Workplace(shelf.root, recipe.key)
    try:
        await _in_thread(place.open)
        await _in_thread(place.fill, recipe.folder, recipe.needs.files)
        # In development mode, the folder is not an immutable release: its requirements may have changed meanwhile.
        if not await _in_thread(still_asks_for, recipe.needs, place.source):
            message = f"the folder {recipe.folder} was changed before its environment was built"
            raise EnvironmentFailed("environment_failed", message, "it is built when the folder is at rest")
        await _in_thread(place.hand_over, recipe.account)
        if options.cache is not None:
            await _in_thread(_make_cache, options.cache, recipe.account)
        yield place
    finally:
        await _in_thread(place.remove)


def _make_cache(cache: Path, account: Account | None) -> None:
    """Create uv's cache folder, owned by the account. An existing one is not changed."""
    if cache.is_dir():
        return
    cache.parent.mkdir(mode=0o711, parents=True, exist_ok=True)
    cache.mkdir(mode=0o700, exist_ok=True)
    if account is not None:
        os.chown(cache, account.uid, account.gid, follow_symlinks=False)


class _Build:
    def __init__(self, recipe: Recipe, place: Workplace, options: UvOptions, tell: Callable[[str], None]) -> None:
        self._recipe = recipe
        self._place = place
        self._tell = tell
        self._variables = environment(options, recipe.account)
        self._program = Uv(self._variables, recipe.interpreter.path, recipe.account)

    async def run(self) -> None:
        interpreter = str(self._recipe.interpreter.path)
        await self._uv(
            "venv", "--quiet", "--relocatable", "--no-project", "--python", interpreter, str(self._place.env)
        )
        if self._recipe.needs.source is Source.LOCK:
            await self._sync()
        else:
            await self._install("--requirements", self._recipe.needs.source)
        await self._add()

    async def _sync(self) -> None:
        self._variables["UV_PROJECT_ENVIRONMENT"] = str(self._place.env)
        options = ("--frozen", "--no-dev", "--no-install-project", "--no-editable", "--compile-bytecode")
        await self._uv("sync", *options, "--python", str(python_of(self._place.env)))

    async def _add(self) -> None:
        """Install what the worker needs, without changing the versions of the installed packages."""
        installed = await self._installed()
        additions = additions_to(installed)
        if additions.beside:
            pins = "".join(f"{name}=={version}\n" for name, version in installed.items())
            await _in_thread(self._place.pins.write_text, pins)
            await self._install("--constraints", str(self._place.pins), *additions.beside)
        if additions.private:
            await self._install("--quiet", "--target", str(self._place.env / PRIVATE), *additions.private)

    async def _installed(self) -> dict[str, str]:
        """The versions of the installed packages by name. uv, running as the account, reads them, because packages'
        builds may have left links to other places there, or files that block the reader."""
        lines: deque[str] = deque(maxlen=MAX_PACKAGES)
        arguments = ("pip", "list", "--format", "freeze", "--python", str(python_of(self._place.env)))
        await self._program.run(arguments, self._place.source, lines.append)
        return {name: version for name, equals, version in (line.partition("==") for line in lines) if equals}

    async def _install(self, *arguments: str) -> None:
        python = str(python_of(self._place.env))
        await self._uv("pip", "install", "--compile-bytecode", "--python", python, *arguments)

    async def _uv(self, *arguments: str) -> None:
        await self._program.run(arguments, self._place.source, self._tell)


async def _in_thread(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """As `asyncio.to_thread`, but if it is cancelled, it still waits for the thread to finish. Otherwise the thread
    would continue to write while the caller cleans up."""
    work = asyncio.ensure_future(asyncio.to_thread(function, *args, **kwargs))
    cancelled = False
    while not work.done():
        try:
            await asyncio.wait({work})
        except asyncio.CancelledError:
            cancelled = True
    if cancelled:
        # Retrieved, so that asyncio does not log it.
        work.exception()
        raise asyncio.CancelledError
    return work.result()
