"""The current backends: finds one for each call, and replaces them when the configuration changes.

A call in progress keeps its backend. A backend that was replaced is closed after its last call.
"""

import asyncio
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from endpointd.backends.choosing import choose, faults
from endpointd.backends.secrets import fetched
from endpointd.sessions.backends import Backend
from endpointd.sessions.caller import Caller
from endpointd.settings.backends import Backend as BackendSettings
from endpointd.settings.settings import Settings

if TYPE_CHECKING:
    from endpointd.backends.lines import Line

LONGEST_END = 15.0
"""Seconds that closing all backends may take."""


class Switchboard:
    """Holds the current backends. There are none before the first `change`."""

    def __init__(self) -> None:
        self._settings = Settings.model_construct()
        self._lines: dict[str, Line] = {}
        self._closing: set[asyncio.Task[None]] = set()

    def find(self, caller: Caller, kind: str) -> Backend:
        """The backend for this plugin and this kind of call. Raises `CallRefused` if there is none."""
        return self._lines[choose(self._settings, caller.plugin, kind)]

    async def change(self, settings: Settings) -> None:
        """Use the backends of `settings` from now on; those that are the same are kept. Raises `UsageError` and changes
        nothing if one of them cannot be used."""
        for fault in faults(settings):
            raise fault
        secrets = await asyncio.to_thread(fetched, settings.backend, os.environ)
        lines = {}
        for name, backend in settings.backend.items():
            present = self._lines.get(name)
            if present is not None and present.is_for(backend, secrets[name]):
                lines[name] = present
            else:
                lines[name] = await asyncio.to_thread(_connect, name, backend, secrets[name])
        before, self._lines, self._settings = self._lines, lines, settings
        for name, line in before.items():
            if lines.get(name) is not line:
                self._retire(line)

    def _retire(self, line: "Line") -> None:
        task = asyncio.create_task(line.close_when_idle())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        """Close all backends, waiting at most `LONGEST_END`."""
        for line in self._lines.values():
            self._retire(line)
        self._lines = {}
        if self._closing:
            await asyncio.wait(self._closing, timeout=LONGEST_END)


def _connect(name: str, settings: BackendSettings, secrets: Mapping[str, str]) -> "Line":
    """Create a backend. Blocking. Raises `UsageError`."""
    # Imported here because it needs httpx, which a daemon without backends need not load.
    from endpointd.backends.lines import line_of

    return line_of(name, settings, secrets)
