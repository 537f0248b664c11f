"""The environments of one daemon. They are built when they are first needed; all workers that wait for the same
environment share one build."""

import asyncio
import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from time import time

import structlog

from endpointd.environments.building import Recipe, build
from endpointd.environments.failures import EnvironmentFailed
from endpointd.environments.finding import Finder
from endpointd.environments.interpreters import Interpreter, choose, key_of
from endpointd.environments.shelf import Shelf, Stored
from endpointd.environments.uv import UvOptions
from endpointd.errors import OperatorError
from endpointd.settings.settings import Settings
from endpointd.supervisor.users import out_of_reach
from endpointd.supervisor.worker import StartFailed, WorkerOrder

FOLDER = "environments"
CACHE = "uv-cache"
"""The names of the folders in the state directory."""

log = structlog.get_logger()

Tell = Callable[[str], None]
OptionsFor = Callable[[int], UvOptions]
"""Returns uv's options for builds by the user with this id."""


@dataclass(eq=False, slots=True)
class _Build:
    """A build that is running or waits for its turn. `waiting` are the callbacks that get each line of its output, and
    `last` is the last line."""

    task: "asyncio.Task[Path]" = field(init=False)
    waiting: list[Tell] = field(default_factory=list)
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    last: str = ""

    def tell(self, line: str) -> None:
        self.last = line
        for tell in [*self.waiting]:
            tell(line)


class Environments:
    """The environments in the directory `root`. A `supervisor.provision.Provider`. To be used in the event loop's
    thread.

    At most `at_once` builds run at the same time; others wait in order of arrival. `interpreters` returns the paths of
    interpreters in the settings.
    """

    def __init__(
        self, root: Path, options_for: OptionsFor, interpreters: Callable[[], Iterable[Path]], at_once: int
    ) -> None:
        self._shelf = Shelf(root)
        self._options_for = options_for
        self._interpreters = interpreters
        self._finder = Finder()
        self._finding = asyncio.Lock()
        self._places = asyncio.Semaphore(at_once)
        self._builds: dict[str, _Build] = {}
        self._ending: set[asyncio.Task[Path]] = set()
        """The tasks of builds that were cancelled because nobody waits for them any more."""

    # For workers

    async def find(self, order: WorkerOrder) -> Path | None:
        if order.needs is None:
            return Path(sys.executable)
        key, _ = await self._identify(order)
        return await asyncio.to_thread(self._shelf.present, key)

    async def build(self, order: WorkerOrder, tell: Tell) -> Path:
        key, interpreter = await self._identify(order)
        build = self._builds.get(key) or self._begin(order, key, interpreter)
        build.waiting.append(tell)
        if build.last or self._places.locked():
            tell(build.last or "waits until other environments are built")
        try:
            await build.begun.wait()
            async with asyncio.timeout(order.clock_build or None):
                return await asyncio.shield(build.task)
        except TimeoutError:
            message = f"its environment was not built within {order.clock_build:g} s (clock_build); last: {build.last}"
            raise StartFailed("environment_timeout", message) from None
        except EnvironmentFailed as error:
            raise _start_failed(error) from error
        finally:
            build.waiting.remove(tell)
            if not build.waiting:
                self._give_up(key, build)

    async def key_of(self, order: WorkerOrder) -> str | None:
        """The name of the order's environment; None if it needs none, or no interpreter fits."""
        if order.needs is None:
            return None
        try:
            return (await self._identify(order))[0]
        except StartFailed:
            return None

    def key_at(self, python: Path) -> str | None:
        """The name of the environment to which this interpreter belongs; None if it belongs to none."""
        folder = python.parents[1]
        return folder.name if folder.parent == self._shelf.root else None

    async def _identify(self, order: WorkerOrder) -> tuple[str, Interpreter]:
        assert order.needs is not None
        async with self._finding:
            found = await asyncio.to_thread(self._finder.find, [*self._interpreters()], os.environ)
        account = order.account
        if account is not None:
            found = [one for one in found if out_of_reach(account, [one.path]) is None]
        try:
            interpreter = choose(found, order.needs)
        except OperatorError as error:
            raise _start_failed(error) from error
        return key_of(order.needs, interpreter, os.geteuid() if account is None else account.uid), interpreter

    # Builds

    def _begin(self, order: WorkerOrder, key: str, interpreter: Interpreter) -> _Build:
        assert order.needs is not None
        recipe = Recipe(key, order.needs, interpreter, order.folder, order.account)
        made = self._builds[key] = _Build()
        made.task = asyncio.create_task(self._run(recipe, made))
        return made

    async def _run(self, recipe: Recipe, build_: _Build) -> Path:
        try:
            async with self._places:
                build_.begun.set()
                # It may exist by now: built by the build before this one, or by another process.
                there = await asyncio.to_thread(self._shelf.present, recipe.key)
                return there or await self._build(recipe, build_.tell)
        finally:
            if self._builds.get(recipe.key) is build_:
                del self._builds[recipe.key]

    async def _build(self, recipe: Recipe, tell: Tell) -> Path:
        began = time()
        user = os.geteuid() if recipe.account is None else recipe.account.uid
        log.info("environment.building", key=recipe.key, python=str(recipe.interpreter), source=recipe.needs.source)
        tell(f"uv builds it from {recipe.needs.source} with Python {recipe.interpreter}")
        try:
            python = await build(self._shelf, recipe, self._options_for(user), tell)
        except EnvironmentFailed as error:
            log.error("environment.failed", key=recipe.key, code=error.code, message=error.message)
            raise
        except asyncio.CancelledError:
            log.info("environment.cancelled", key=recipe.key)
            raise
        log.info("environment.built", key=recipe.key, seconds=round(time() - began, 3))
        return python

    def _give_up(self, key: str, build_: _Build) -> None:
        """Forget the build, and cancel it if it has not finished, because nobody waits for it any more."""
        if self._builds.get(key) is build_:
            del self._builds[key]
        if not build_.task.done():
            build_.task.cancel()
            self._ending.add(build_.task)
            build_.task.add_done_callback(self._has_ended)

    def _has_ended(self, task: "asyncio.Task[Path]") -> None:
        self._ending.discard(task)
        if not task.cancelled():
            # It finished before it was cancelled. Retrieve the exception, so that asyncio does not log it.
            task.exception()

    async def close(self) -> None:
        """Cancel every build. Returns when all of their processes have ended and their files have been removed."""
        for key, build_ in [*self._builds.items()]:
            self._give_up(key, build_)
        while self._ending:
            await asyncio.wait({*self._ending})

    # For operators

    def clean(self) -> None:
        """Remove the unfinished builds of daemons that were killed. Blocking."""
        self._shelf.clean()

    async def stored(self) -> list[Stored]:
        return await asyncio.to_thread(self._shelf.stored)

    async def prune(self, keep: Iterable[str]) -> list[Stored]:
        """Remove all environments except those whose names are in `keep` and those being built; returns what was
        removed. Raises `OperatorError`."""
        try:
            return await asyncio.to_thread(self._shelf.prune, {*keep, *self._builds})
        except OSError as error:
            message = f"environments in {str(self._shelf.root)!r} cannot be removed: {error.strerror}"
            remedy = "let the user that runs the daemon write there"
            raise OperatorError("environments_not_removed", message, remedy) from error


def environments_of(settings: Callable[[], Settings]) -> Environments:
    """The environments of a daemon. `settings` returns the current settings, which may change."""

    def options_for(user: int) -> UvOptions:
        now = settings()
        cache = now.uv_cache
        if cache is None and not os.environ.get("UV_CACHE_DIR"):
            # One cache per user, because a build run by one user must not put files into the environments of another.
            cache = now.state / CACHE / str(user)
        index = None if now.uv_index_url is None else now.uv_index_url.text
        return UvOptions(index, tuple(place.text for place in now.uv_find_links), cache, now.offline)

    first = settings()
    return Environments(
        first.environments or first.state / FOLDER,
        options_for,
        lambda: settings().python_interpreters,
        first.builds_at_once,
    )


def _start_failed(error: OperatorError) -> StartFailed:
    lasting = not isinstance(error, EnvironmentFailed) or error.lasting
    return StartFailed(error.code, f"{error.message}; {error.remedy}", lasting=lasting)
