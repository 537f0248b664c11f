"""Reads the settings again while the daemon runs, on SIGHUP or at an operator's request."""

import asyncio
from collections.abc import Callable

import structlog

from endpointd.backends.switchboard import Switchboard
from endpointd.errors import OperatorError
from endpointd.logs.logs import reopen, set_level
from endpointd.settings.reloading import settled
from endpointd.settings.settings import Settings
from endpointd.systemd.manager import Manager

log = structlog.get_logger()


class Reconfiguring:
    """`read` reads the settings again; it blocks, and may raise `OperatorError`. `apply` is called with new settings,
    and applies them to the plugins and other parts of the daemon."""

    def __init__(
        self,
        settings: Settings,
        read: Callable[[], Settings],
        apply: Callable[[Settings], None],
        switchboard: Switchboard,
        manager: Manager,
    ) -> None:
        self.settings = settings
        """The settings that are in effect."""
        self._read = read
        self._apply = apply
        self._switchboard = switchboard
        self._manager = manager
        self._one_at_a_time = asyncio.Lock()
        self._asked: set[asyncio.Task[None]] = set()

    def soon(self) -> None:
        """Reload in the background and log the result. A signal handler."""
        # Keep a reference, because the event loop itself has only weak references to tasks.
        task = asyncio.ensure_future(self._reload_or_tell())
        self._asked.add(task)
        task.add_done_callback(self._asked.discard)

    async def reload(self) -> list[str]:
        """Read the settings again, and apply them. Returns the names of changed settings that need a restart. Raises
        `OperatorError`, and nothing changes then."""
        async with self._one_at_a_time:
            # Even if the rest fails: tools that rotate the log's file request a reload to have it opened again.
            reopen()
            with self._manager.reloading():
                settings, fixed = settled(self.settings, await asyncio.to_thread(self._read))
                await self._switchboard.change(settings)
                self._hold_to(settings, fixed)
            return fixed

    async def _reload_or_tell(self) -> None:
        try:
            await self.reload()
        except OperatorError as error:
            log.error("configuration.refused", code=error.code, message=error.message, remedy=error.remedy)
        except Exception:
            log.critical("configuration.defect", exc_info=True)

    def _hold_to(self, settings: Settings, fixed: list[str]) -> None:
        if fixed:
            log.warning("configuration.needs_restart", settings=fixed)
        if settings.log_level != self.settings.log_level:
            set_level(settings.log_level)
        self.settings = settings
        self._apply(settings)
        log.info("configuration.reloaded")
