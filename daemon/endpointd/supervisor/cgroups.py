"""A control group (cgroup v2) for each worker, if the daemon's own group is delegated to it; otherwise nothing is done.

The daemon moves into a group below its own, `host`, and makes one group for each worker beside it. The daemon moves the
worker into its group, because the worker may run as another user. It does so as soon as the process exists, before the
plugin is loaded. So all processes that the plugin starts are in the group too, and cannot leave it unless they have
write access to the groups.
"""

import asyncio
import contextlib
import itertools
import os
from pathlib import Path

import structlog

from endpointd.supervisor import cgroup_rules as rules
from endpointd.supervisor.delegation import Division
from endpointd.supervisor.leaf import Leaf
from endpointd.supervisor.limits import ProcessLimits

PAUSES = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
"""Seconds before each attempt to remove a group: it cannot be removed before all killed processes in it have ended."""
LAST_LEAVES = 2.0
"""Seconds to wait for the removal of groups when the daemon ends."""

log = structlog.get_logger()


class Cgroups:
    """Does nothing until `start`. To be used in the thread of the event loop."""

    def __init__(self) -> None:
        self._base: Path | None = None
        """The parent of the workers' groups; None if no groups are used."""
        self._controllers: tuple[str, ...] = ()
        self._numbers = itertools.count(1)
        self._leaving: dict[Leaf, asyncio.TimerHandle | None] = {}
        self._none_left = asyncio.Event()

    def __repr__(self) -> str:
        return f"<Cgroups in {self._base} with {self._controllers}>"

    # The daemon's life

    def start(self, division: Division | str) -> None:
        """Divide the daemon's group, and kill processes that earlier daemons have left in it. `division` is the result
        of `delegation.find`; if it is a text, no groups are used. To be called before any other process is started."""
        if isinstance(division, str):
            log.info("cgroups.not_used", because=division)
            return
        try:
            division.settle()
            self._controllers = division.enable()
            leftovers = division.leftovers()
        except OSError as error:
            log.info("cgroups.not_used", because=f"{division.base} cannot be divided: {error}")
            return
        self._base = division.base
        log.info("cgroups.used", folder=str(division.base), controllers=self._controllers)
        for folder in leftovers:
            self.discard(Leaf(folder))

    async def stop(self) -> None:
        """Wait until the groups of workers that have ended are removed, at most `LAST_LEAVES` seconds."""
        self._none_left = asyncio.Event()
        if self._leaving:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LAST_LEAVES):
                    await self._none_left.wait()
        for leaf in [*self._leaving]:
            self._give_up(leaf)
        self._base = None

    # Workers

    def leaf(self, limits: ProcessLimits) -> tuple[Leaf | None, ProcessLimits]:
        """Make a group for one more worker. Returns it and the limits that it does not enforce; None and all limits if
        groups are not used, or it cannot be made."""
        if self._base is None:
            return None, limits
        leaf = Leaf(self._base / rules.leaf_name(os.getpid(), next(self._numbers)))
        try:
            held = leaf.make(rules.writes(limits, self._controllers))
        except OSError as error:
            log.warning("cgroup.not_made", folder=str(leaf.folder), because=str(error))
            return None, limits
        return leaf, rules.left_to_the_process(limits, held)

    def discard(self, leaf: Leaf) -> None:
        """Kill all processes in a worker's group, and remove the group as soon as it is empty."""
        self._leaving[leaf] = None
        self._try_to_remove(leaf, 0)

    def _try_to_remove(self, leaf: Leaf, attempt: int) -> None:
        leaf.kill()
        if leaf.remove():
            self._forget(leaf)
        elif attempt + 1 == len(PAUSES):
            self._give_up(leaf)
        else:
            loop = asyncio.get_running_loop()
            self._leaving[leaf] = loop.call_later(PAUSES[attempt + 1], self._try_to_remove, leaf, attempt + 1)

    def _give_up(self, leaf: Leaf) -> None:
        """Stop trying to remove a group. The next daemon removes it (`Division.leftovers`)."""
        log.warning("cgroup.not_removed", folder=str(leaf.folder))
        self._forget(leaf)

    def _forget(self, leaf: Leaf) -> None:
        timer = self._leaving.pop(leaf)
        if timer is not None:
            timer.cancel()
        if not self._leaving:
            self._none_left.set()


cgroups = Cgroups()
"""The only instance: a process is in one group."""
