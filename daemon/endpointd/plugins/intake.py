"""Takes in a folder of the plugins directory: reads it, copies it into a release, and reads the copy.

The copy is served, so that a plugin is never a mixture of old and new files. In development mode the folder itself is
run.
"""

import os
from dataclasses import replace
from pathlib import Path

from endpointd.environments.declared import needs_of
from endpointd.errors import OperatorError, UsageError
from endpointd.folders.digest import content_digest
from endpointd.folders.folder import PluginFolder
from endpointd.folders.included import included_in
from endpointd.folders.leftout import is_plugin_folder
from endpointd.folders.tree import may_be_folder
from endpointd.manifest.findings import Finding, Severity
from endpointd.manifest.reading import read_plugin
from endpointd.plugins.catalog import Entry
from endpointd.plugins.releases import FolderChanged, Releases


class Intake:
    """Blocking, to be used in a thread. `releases` is None in development mode. `state` is the daemon's state
    directory, which may be in the plugins directory and is then ignored."""

    def __init__(self, directory: Path, releases: Releases | None, state: Path | None = None) -> None:
        self._directory = directory
        self._releases = releases
        self._state = state

    def names(self) -> list[str]:
        """The names of the folders that may contain plugins. Raises `UsageError` if the directory cannot be listed."""
        try:
            return sorted(name for name in os.listdir(self._directory) if self.exists(name))
        except OSError as error:
            raise UsageError(
                "plugins_unreadable",
                f"the plugins directory {self._directory} cannot be read: {error.strerror}",
                "make it, or name another one with --plugins",
            ) from error

    def exists(self, name: str) -> bool:
        path = self._directory / name
        return is_plugin_folder(name) and may_be_folder(path) and not self._is_state(path)

    def _is_state(self, path: Path) -> bool:
        try:
            return self._state is not None and path.samefile(self._state)
        except OSError:
            return False

    def take(self, name: str) -> Entry:
        """The entry of a folder. Raises `FolderChanged` if the folder changes meanwhile."""
        folder = self._directory / name
        reading = read_plugin(included_in(folder))
        if reading.plugin is None:
            return Entry(name, None, reading.findings)
        try:
            if self._releases is None:
                return _with_needs(Entry(name, reading.plugin, reading.findings, folder, content_digest(folder)))
            release = self._releases.make(folder, reading.plugin.id)
        except FolderChanged:
            raise
        except OperatorError as error:
            finding = Finding(Severity.ERROR, error.code, error.message, None, None, None, error.remedy)
            return Entry(name, None, (*reading.findings, finding))
        return self._of(name, release.path, release.digest, reading.plugin.id)

    def retake(self, name: str, plugin_id: str, root: Path, digest: str) -> Entry:
        """The entry of an older release of the plugin in the folder `name`."""
        return self._of(name, root, digest, plugin_id)

    @staticmethod
    def _of(name: str, root: Path, digest: str, plugin_id: str) -> Entry:
        reading = read_plugin(PluginFolder(root))
        if reading.plugin is not None and reading.plugin.id != plugin_id:
            # The manifest was replaced between the two readings.
            raise FolderChanged(name)
        return _with_needs(Entry(name, reading.plugin, reading.findings, root, digest))


def _with_needs(entry: Entry) -> Entry:
    """The entry with the needs of its environment. If these cannot be read, it has no plugin, and findings instead."""
    if entry.plugin is None or entry.root is None:
        return entry
    needs, findings = needs_of(entry.root, entry.plugin, entry.digest)
    plugin = None if findings else entry.plugin
    return replace(entry, plugin=plugin, needs=needs, findings=(*entry.findings, *findings))
