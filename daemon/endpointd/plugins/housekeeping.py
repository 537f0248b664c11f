"""Lists the stored environments with the plugins that need them, and removes those that none needs."""

import asyncio
from collections.abc import AsyncIterator

from endpointd.environments.service import Environments
from endpointd.environments.shelf import Stored
from endpointd.plugins.plugins import Plugins
from endpointd.plugins.rollbacks import Rollbacks
from endpointd.plugins.status import EnvironmentStatus
from endpointd.plugins.versions import Version
from endpointd.supervisor.worker import WorkerOrder


class Housekeeping:
    """The implementation of `admin.control.EnvironmentControl`."""

    def __init__(self, plugins: Plugins, rollbacks: Rollbacks, environments: Environments) -> None:
        self._plugins = plugins
        self._rollbacks = rollbacks
        self._environments = environments

    async def environments(self) -> list[EnvironmentStatus]:
        users = await self._users()
        return [_status(one, users.get(one.key, ())) for one in await self._environments.stored()]

    async def prune_environments(self, *, dry_run: bool) -> list[EnvironmentStatus]:
        # Without this lock, the environment of a plugin that is just being read would seem unused.
        async with self._plugins.taking:
            users = await self._users()
            if dry_run:
                gone = [one for one in await self._environments.stored() if one.key not in users]
            else:
                gone = await self._environments.prune(users)
        return [_status(one, ()) for one in gone]

    async def _users(self) -> dict[str, tuple[str, ...]]:
        """The ids of the plugins that need an environment, by its key."""
        users: dict[str, dict[str, None]] = {}
        async for plugin_id, order in self._orders():
            key = await self._environments.key_of(order)
            if key is not None:
                users.setdefault(key, {})[plugin_id] = None
        # Running workers keep their environment, even if their order would now get another one because a better
        # matching interpreter was installed.
        for supervisor in self._plugins.supervisors():
            for key in map(self._environments.key_at, supervisor.interpreters):
                if key is not None:
                    users.setdefault(key, {})[supervisor.plugin] = None
        return {key: tuple(ids) for key, ids in users.items()}

    async def _orders(self) -> AsyncIterator[tuple[str, WorkerOrder]]:
        """Yield the plugin id and the order of all versions that serve, are to serve, or can be rolled back to."""
        for plugin_id, served in [*self._plugins.served.items()]:
            for version in [*served.versions, served.wanted]:
                yield plugin_id, version.order
            for entry in await asyncio.to_thread(self._rollbacks.entries, plugin_id, served.entry.folder):
                if entry.plugin is not None:
                    yield plugin_id, Version.of(entry, self._plugins.settings).order


def _status(one: Stored, plugins: tuple[str, ...]) -> EnvironmentStatus:
    record = one.record
    return EnvironmentStatus(one.key, record.python, record.source, record.made_at, one.bytes, plugins)
