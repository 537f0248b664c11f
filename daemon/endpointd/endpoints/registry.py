"""The endpoints of a running daemon: changes them one at a time, on the disk first, then in effect.

A change is checked against the version of the plugin that serves, stored in a thread, and holds from the next request
on. The change itself goes on to its end when whoever has asked for it is gone: what is stored and what is served never
differ.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

import structlog

from endpointd.endpoints.book import Book
from endpointd.endpoints.declared import Declared
from endpointd.endpoints.drafts import Drafts, faults_of_names, needs_plugin
from endpointd.endpoints.errors import EndpointDeclared, EndpointInvalid
from endpointd.endpoints.plan import Plan, plan
from endpointd.endpoints.views import AppliedView, EndpointView, SettingView, settings_of, view
from endpointd.errors import OperatorError, PluginUnknown
from endpointd.manifest.model import Plugin
from endpointd.store.records import EndpointRecord

T = TypeVar("T")
log = structlog.get_logger()


class Store(Protocol):
    """Blocking; what has returned is durable, what has raised has changed nothing."""

    def all(self) -> list[EndpointRecord]: ...

    def add(self, record: EndpointRecord) -> None: ...

    def replace(self, record: EndpointRecord) -> None: ...

    def remove(self, id: str) -> None: ...  # noqa: A002  the store's own word


class Served(Protocol):
    """What the endpoints have to know of the plugins, and the one thing that they ask of them."""

    def plugin(self, plugin_id: str) -> Plugin | None:
        """The version that serves, or is to serve as soon as one does."""

    def ids(self) -> Collection[str]:
        """Of all plugins, for who has misspelt one."""

    def automatic(self, hook_id: str) -> str | None:
        """The plugin that answers at this hook id, its name, without an endpoint of an operator's."""

    def remount(self, plugin_id: str) -> None:
        """Its endpoints have changed: mount what the book gives now. A plugin that is not served is none of its
        concern. It must not raise."""


class Registry:
    """Implements `EndpointControl`. `book` is what the plugins and the gateway look into, and is changed here alone;
    `base` gives what URLs begin with, `now` the seconds since the epoch; `file` is the one that declares endpoints,
    where the daemon follows one.

    Call `load` before anything else, and `stop` before the store is closed.
    """

    def __init__(
        self,
        store: Store,
        book: Book,
        served: Served,
        base: Callable[[], str],
        now: Callable[[], float] = time.time,
        file: Path | None = None,
    ) -> None:
        self._store = store
        self._book = book
        self._served = served
        self._base = base
        self._now = now
        self._file = file
        self._drafts = Drafts(self._book, served.automatic, now)
        self._changing = asyncio.Lock()
        self._doing: set[asyncio.Task[Any]] = set()
        self._in_doubt = False
        """Whether the store has refused something: another process may have changed it, or a connection may have broken
        before it said whether a change was made."""

    async def load(self) -> None:
        """Read what is stored. Raises `OperatorError`."""
        for plugin_id in self._book.renew(await asyncio.to_thread(self._store.all)):
            self._served.remount(plugin_id)
        self._in_doubt = False

    async def stop(self) -> None:
        """Returns when every change that was begun has its end."""
        while self._doing:
            await asyncio.wait(self._doing)

    # Telling

    def list(self, plugin_id: str | None = None) -> Sequence[EndpointView]:
        return [self._view(record) for record in self._book.all() if plugin_id in (None, record.plugin)]

    def get(self, endpoint_id: str) -> EndpointView:
        return self._view(self._book.get(endpoint_id))

    def settings(self, plugin_id: str) -> Sequence[SettingView]:
        return settings_of(self._plugin(plugin_id))

    def _view(self, record: EndpointRecord) -> EndpointView:
        return view(record, self._served.plugin(record.plugin), self._base())

    def _plugin(self, plugin_id: str) -> Plugin:
        plugin = self._served.plugin(plugin_id)
        if plugin is None:
            raise PluginUnknown(plugin_id, self._served.ids())
        return plugin

    # Changing

    async def create(
        self,
        plugin_id: str,
        name: str,
        settings: Mapping[str, Any],
        *,
        hook_id: str | None = None,
        enabled: bool = True,
    ) -> EndpointView:
        """Raises `PluginUnknown`, or `EndpointInvalid` with all that is wrong."""

        async def work() -> EndpointView:
            wanted = Declared(plugin_id, name, hook_id, enabled, dict(settings))
            record = self._drafts.new(wanted, self._plugin(plugin_id), "operator").accepted()
            await self._put(record)
            return self._view(record)

        return await self._change(work)

    async def update(
        self,
        endpoint_id: str,
        settings: Mapping[str, Any],
        *,
        name: str | None = None,
        hook_id: str | None = None,
        enabled: bool | None = None,
    ) -> EndpointView:
        """Raises `EndpointInvalid`, `EndpointDeclared`; `PluginUnknown` where the plugin is needed to judge."""

        async def work() -> EndpointView:
            before = self._owned(endpoint_id)
            plugin = self._plugin(before.plugin) if needs_plugin(before, settings, enabled) else None
            wanted = Declared(
                before.plugin,
                before.name if name is None else name,
                hook_id,
                before.enabled if enabled is None else enabled,
            )
            record = self._drafts.changed(before, wanted, settings, plugin).accepted()
            if replace(record, updated_at=before.updated_at) != before:
                await self._put(record)
            return self._view(self._book.get(endpoint_id))

        return await self._change(work)

    async def enable(self, endpoint_id: str) -> EndpointView:
        """Raises `EndpointInvalid` when its settings do not suit the plugin."""
        return await self.update(endpoint_id, {}, enabled=True)

    async def disable(self, endpoint_id: str) -> EndpointView:
        return await self.update(endpoint_id, {}, enabled=False)

    async def delete(self, endpoint_id: str) -> None:
        """Raises `EndpointDeclared`."""

        async def work() -> None:
            await self._remove(self._owned(endpoint_id))

        await self._change(work)

    async def apply(self, declared: Sequence[Declared], *, dry_run: bool = False) -> AppliedView:
        """As `declare`. Raises `OperatorError` when the daemon follows a file of its own, which would undo it."""
        if self._file is not None and not dry_run:
            raise OperatorError(
                "endpoints_file_set",
                f"this daemon applies {self._file} by itself",
                "change that file, or start the daemon without the setting endpoints_file",
            )
        return await self.declare(declared, dry_run=dry_run)

    async def declare(self, declared: Sequence[Declared], *, dry_run: bool = False) -> AppliedView:
        """Raises `EndpointInvalid` with every fault in what is declared, and then nothing was changed.

        When the store fails in the middle, what was done until then stays; the next time goes on from there.
        """

        async def work() -> AppliedView:
            steps = plan(self._book.all(), declared)
            records = self._checked(steps, declared)
            if not dry_run:
                for record in steps.delete:
                    await self._remove(record)
                for record in records:
                    await self._put(record)
            return steps.shown(dry_run=dry_run)

        return await self._change(work)

    async def alone(self, act: Callable[[], T]) -> T:
        """Do something that blocks, in a thread, while nothing is changed here."""
        return await self._change(partial(asyncio.to_thread, act))

    def _checked(self, steps: Plan, declared: Sequence[Declared]) -> Sequence[EndpointRecord]:
        """The records that a plan leads to, each checked as if all before it were done."""
        future = Book()
        future.renew(record for record in self._book.all() if record not in steps.delete)
        drafts = Drafts(future, self._served.automatic, self._now)
        todo: Sequence[tuple[int, EndpointRecord | None]] = [
            *((update.index, update.record) for update in steps.update),
            *((index, None) for index, _ in steps.create),
        ]
        faults, records = [*faults_of_names(declared)], []
        for index, before in todo:
            wanted = declared[index]
            draft = drafts.declared(before, wanted, self._served.plugin(wanted.plugin), self._served.ids())
            faults += [replace(fault, key=f"endpoints[{index}].{fault.key}") for fault in draft.faults]
            if draft.record is not None:
                future.put(draft.record)
                records.append(draft.record)
        if faults:
            raise EndpointInvalid(faults)
        return records

    def _owned(self, endpoint_id: str) -> EndpointRecord:
        """An operator's own. Raises `EndpointDeclared` when it is the file's."""
        record = self._book.get(endpoint_id)
        if record.origin == "file":
            raise EndpointDeclared(record.name)
        return record

    async def _change(self, work: Callable[[], Awaitable[T]]) -> T:
        """One after the other, and each to its end."""

        async def alone() -> T:
            async with self._changing:
                if self._in_doubt:
                    await self.load()
                return await work()

        task = asyncio.create_task(alone())
        self._doing.add(task)
        task.add_done_callback(self._doing.discard)
        return await asyncio.shield(task)

    async def _put(self, record: EndpointRecord) -> None:
        is_new = not self._book.has(record.id)
        await self._store_in_thread(self._store.add if is_new else self._store.replace, record)
        self._book.put(record)
        log.info("endpoint.stored", endpoint=record.id, plugin=record.plugin, name=record.name, enabled=record.enabled)
        self._served.remount(record.plugin)

    async def _remove(self, record: EndpointRecord) -> None:
        await self._store_in_thread(self._store.remove, record.id)
        self._book.take(record.id)
        log.info("endpoint.removed", endpoint=record.id, plugin=record.plugin, name=record.name)
        self._served.remount(record.plugin)

    async def _store_in_thread(self, act: Callable[[Any], None], subject: object) -> None:
        try:
            await asyncio.to_thread(act, subject)
        except BaseException:
            self._in_doubt = True
            raise
