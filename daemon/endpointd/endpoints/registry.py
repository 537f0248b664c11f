"""The endpoints of a running daemon. Changes are made one at a time: first in the store, then in memory and in effect.

A change is checked against the version of the plugin that serves, stored in a thread, and takes effect with the next
request. It is completed even if the caller is cancelled, so that what is stored and what is served never differ.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import structlog

from endpointd.changes import Changes
from endpointd.endpoints.book import Book
from endpointd.endpoints.declared import Declared
from endpointd.endpoints.drafts import Drafts, faults_of_names, is_as_before, needs_plugin
from endpointd.endpoints.errors import EndpointDeclared, EndpointInvalid
from endpointd.endpoints.neighbours import Served, Store
from endpointd.endpoints.plan import Plan, plan
from endpointd.endpoints.views import AppliedView, EndpointView, SettingView, settings_of, view
from endpointd.errors import OperatorError, PluginUnknown
from endpointd.manifest.model import Plugin
from endpointd.store.records import EndpointRecord

T = TypeVar("T")
log = structlog.get_logger()


class Registry:
    """Implements `EndpointControl`. Call `load` before anything else, and `stop` before the store is closed.

    `book` is used by the plugins and the gateway, and only changed here. `base` returns the scheme, host and port for
    URLs, `now` the seconds since the epoch. `file` is the file of endpoints that the daemon follows, if it does.
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
        self._changes = Changes(self.load)

    async def load(self) -> None:
        """Read all endpoints from the store. Raises `OperatorError`."""
        for plugin_id in self._book.replace_all(await asyncio.to_thread(self._store.all)):
            self._served.remount(plugin_id)
        self._changes.in_doubt = False

    async def stop(self) -> None:
        """Wait until every change that was begun is complete."""
        await self._changes.over()

    # Queries

    def list(self, plugin_id: str | None = None) -> Sequence[EndpointView]:
        records = self._book.all() if plugin_id is None else self._book.of(plugin_id)
        return [self._view(record) for record in records]

    def get(self, endpoint_id: str) -> EndpointView:
        return self._view(self._book.get(endpoint_id))

    def settings(self, plugin_id: str) -> Sequence[SettingView]:
        return settings_of(self._plugin(plugin_id))

    def _view(self, record: EndpointRecord) -> EndpointView:
        plugin = self._served.plugin(record.plugin)
        return view(record, plugin, self._base(), self._book.faults(record, plugin) if plugin is not None else ())

    def _plugin(self, plugin_id: str) -> Plugin:
        plugin = self._served.plugin(plugin_id)
        if plugin is None:
            raise PluginUnknown(plugin_id, self._served.ids())
        return plugin

    # Changes

    async def create(
        self,
        plugin_id: str,
        name: str,
        settings: Mapping[str, Any],
        *,
        hook_id: str | None = None,
        enabled: bool = True,
        callers: Mapping[str, Any] | None = None,
    ) -> EndpointView:
        """Raises `PluginUnknown`, or `EndpointInvalid` with all faults."""

        async def work() -> EndpointView:
            wanted = Declared(plugin_id, name, hook_id, enabled, dict(settings), dict(callers or {}))
            record = self._drafts.new(wanted, self._plugin(plugin_id), "operator").accepted()
            await self._put(record)
            return self._view(record)

        return await self._changes.do(work)

    async def update(
        self,
        endpoint_id: str,
        settings: Mapping[str, Any],
        *,
        name: str | None = None,
        hook_id: str | None = None,
        enabled: bool | None = None,
        callers: Mapping[str, Any] | None = None,
    ) -> EndpointView:
        """Raises `EndpointInvalid`, `EndpointDeclared`, or `PluginUnknown` if the change cannot be checked without the
        plugin."""

        async def work() -> EndpointView:
            before = self._owned(endpoint_id)
            plugin = self._plugin(before.plugin) if needs_plugin(before, settings, enabled) else None
            wanted = Declared(
                before.plugin,
                before.name if name is None else name,
                hook_id,
                before.enabled if enabled is None else enabled,
                callers=dict(callers or {}),
            )
            record = self._drafts.changed(before, wanted, settings, plugin).accepted()
            if not is_as_before(before, record):
                await self._put(record)
            return self._view(self._book.get(endpoint_id))

        return await self._changes.do(work)

    async def delete(self, endpoint_id: str) -> None:
        """Raises `EndpointDeclared`."""

        async def work() -> None:
            record = self._owned(endpoint_id)
            await self._commit((record,), (), lambda: self._store.remove(record.id))

        await self._changes.do(work)

    async def apply(self, declared: Sequence[Declared], *, dry_run: bool = False) -> AppliedView:
        """As `declare`, for an operator. Raises `OperatorError` if the daemon follows a file, which would undo it."""
        if self._file is not None and not dry_run:
            raise OperatorError(
                "endpoints_file_set",
                f"this daemon applies {self._file} by itself",
                "change that file, or start the daemon without the setting endpoints_file",
            )
        return await self.declare(declared, dry_run=dry_run)

    async def declare(self, declared: Sequence[Declared], *, dry_run: bool = False) -> AppliedView:
        """Create, change and delete endpoints of the origin "file" so that they are as declared: all of it or nothing.
        Raises `EndpointInvalid` with all faults."""

        async def work() -> AppliedView:
            steps = plan(self._book.all(), declared)
            records = await self._checked(steps, declared)
            if dry_run or not (steps.delete or records):
                return steps.shown(dry_run=dry_run)
            removed, put = [one.id for one in steps.delete], list(records.values())
            await self._commit(steps.delete, put, lambda: self._store.change(removed, put))
            return steps.shown(dry_run=False, made=records)

        return await self._changes.do(work)

    async def alone(self, act: Callable[[], T]) -> T:
        """Run `act`, which blocks, in a thread, while no endpoint is changed."""
        return await self._changes.do(partial(asyncio.to_thread, act))

    async def _checked(self, steps: Plan, declared: Sequence[Declared]) -> Mapping[int, EndpointRecord]:
        """The records that a plan creates and changes, by their positions in the file. Each is checked against all
        endpoints that there will be. Raises `EndpointInvalid`."""
        future = Book()
        leaving = {record.id for record in steps.delete}
        # An endpoint that changes its hook id frees the old one, which another endpoint may get.
        leaving |= {update.record.id for update in steps.update if "hook_id" in update.changes}
        future.replace_all(record for record in self._book.all() if record.id not in leaving)
        drafts = Drafts(future, self._served.automatic, self._now)
        todo = [(update.index, update.record) for update in steps.update]
        faults, records = [*faults_of_names(declared)], {}
        for index, before in (*todo, *((index, None) for index, _ in steps.create)):
            # Let other tasks run, because there may be many. No endpoint is changed meanwhile (`Changes`).
            await asyncio.sleep(0)
            wanted = declared[index]
            draft = drafts.declared(before, wanted, self._served.plugin(wanted.plugin), self._served.ids())
            faults += [replace(fault, key=f"endpoints[{index}].{fault.key}") for fault in draft.faults]
            if draft.record is not None:
                future.put(draft.record)
                records[index] = draft.record
        if faults:
            raise EndpointInvalid(faults)
        return records

    def _owned(self, endpoint_id: str) -> EndpointRecord:
        """The record of an endpoint that operators may change. Raises `EndpointDeclared` if a file declares it."""
        record = self._book.get(endpoint_id)
        if record.origin == "file":
            raise EndpointDeclared(record.name)
        return record

    async def _put(self, record: EndpointRecord) -> None:
        store = self._store.replace if self._book.has(record.id) else self._store.add
        await self._commit((), (record,), lambda: store(record))

    async def _commit(
        self, removed: Sequence[EndpointRecord], records: Sequence[EndpointRecord], act: Callable[[], None]
    ) -> None:
        """Make a change: in the store (`act`), then in the book, then in what is mounted."""
        concerned = {record.plugin for record in (*removed, *records)}
        await self._store_in_thread(act, lambda: self._is_done(removed, records))
        self._book.change([record.id for record in removed], records)
        for record in removed:
            log.info("endpoint.removed", endpoint=record.id, plugin=record.plugin, name=record.name)
        for record in records:
            enabled = record.enabled
            log.info("endpoint.stored", endpoint=record.id, plugin=record.plugin, name=record.name, enabled=enabled)
        for plugin_id in sorted(concerned):
            self._served.remount(plugin_id)

    def _is_done(self, removed: Iterable[EndpointRecord], records: Iterable[EndpointRecord]) -> bool:
        """Whether the book has this change already."""
        is_there = all(self._book.has(record.id) and self._book.get(record.id) == record for record in records)
        return is_there and not any(self._book.has(record.id) for record in removed)

    async def _store_in_thread(self, act: Callable[[], None], is_done: Callable[[], bool]) -> None:
        """Run `act` in a thread. After an error it is not known whether the change was made, so read the store again;
        raise the error unless the change is there."""
        try:
            await self._changes.in_store(act)
        except Exception as error:
            code, reason = getattr(error, "code", type(error).__name__), getattr(error, "message", "")
            log.warning("endpoint.not_stored", code=code, reason=reason)
            with suppress(OperatorError):
                await self.load()
            if self._changes.in_doubt or not is_done():
                raise
