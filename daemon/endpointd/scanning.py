"""The plugins directory, read: one entry for each folder in it."""

from pathlib import Path

from endpointd.catalog import Entry, settle
from endpointd.errors import UsageError
from endpointd.folder import PluginFolder
from endpointd.manifest.reading import read_plugin


def scan(directory: Path) -> list[Entry]:
    """Every plugin folder in `directory`. Raises `UsageError` when the directory cannot be listed."""
    try:
        names = [item.name for item in directory.iterdir() if item.is_dir() and not item.name.startswith((".", "__"))]
    except OSError as error:
        raise UsageError(
            "plugins_unreadable",
            f"the plugins directory {directory} cannot be read: {error.strerror}",
            "make it, or name another one with --plugins",
        ) from error
    return settle(_read(directory, name) for name in names)


def _read(directory: Path, name: str) -> Entry:
    reading = read_plugin(PluginFolder(directory / name))
    return Entry(name, reading.plugin, reading.findings)
