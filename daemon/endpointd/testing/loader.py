"""The value of the fixture `load_plugin`."""

from collections.abc import Mapping
from pathlib import Path

from endpointd.manifest.reading import MANIFEST
from endpointd.testing.client import PluginClient
from endpointd.testing.host import PluginHost
from endpointd.testing.session import FakeSession


class PluginLoader:
    """Call it to load a plugin; each call starts a worker."""

    def __init__(self, test_file: Path) -> None:
        self._test_file = test_file
        self._hosts: list[PluginHost] = []

    def __call__(
        self,
        folder: Path | None = None,
        *,
        settings: Mapping[str, object] | None = None,
        env: Mapping[str, str] | None = None,
        session: FakeSession | None = None,
        timeout: float = 10.0,
    ) -> PluginClient:
        """Load the plugin in `folder`, by default the one that contains the test's file, and return a client for it.

        settings: values as an operator would give them; the others have their defaults. env: additional environment
        variables for the worker. session: answers the plugin's session calls, by default a new `FakeSession`. timeout:
        seconds that the client waits for the plugin. Raises AssertionError if the plugin cannot be loaded; the message
        has each finding with its file, line and remedy.
        """
        host = PluginHost(
            folder or self._own_folder(), settings or {}, env or {}, session or FakeSession(), timeout=timeout
        )
        self._hosts.append(host)
        return PluginClient(host)

    def sections(self) -> list[tuple[str, str]]:
        """For the report of a failed test: a heading and the log of each plugin that has one."""
        return [(f"Log of {host.plugin.id}", host.log()) for host in self._hosts if host.log()]

    def stop_all(self) -> None:
        """End all workers."""
        for host in self._hosts:
            host.stop()

    def _own_folder(self) -> Path:
        for folder in self._test_file.resolve().parents:
            if (folder / MANIFEST).is_file():
                return folder
        raise AssertionError(
            f"no folder above {self._test_file} has a {MANIFEST}: give load_plugin the plugin's folder"
        )
