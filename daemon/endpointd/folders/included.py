"""The files of a plugin's folder without those that its ignore file excludes."""

from collections.abc import Callable
from pathlib import Path

from endpointd.folders.folder import PluginFolder
from endpointd.folders.leftout import IGNORE_FILE
from endpointd.folders.tree import ignoring_of
from endpointd.manifest.files import FileProblem, Kind, PluginFiles, normal_path


class Included:
    """The files of the plugin in `folder`, except those for whose paths `is_out` returns True."""

    def __init__(self, folder: Path, is_out: Callable[[str], bool]) -> None:
        self._files = PluginFolder(folder)
        self._is_out = is_out

    def read(self, path: str) -> bytes:
        self.check(path)
        return self._files.read(path)

    def check(self, path: str) -> None:
        """As `PluginFiles.check`; also raises `FileProblem` if the file is excluded."""
        self._files.check(path)
        if self._is_out(normal_path(path)):
            message = f"{path!r} is not part of the plugin, because the ignore file ({IGNORE_FILE}) leaves it out"
            raise FileProblem("file_ignored", message, "take it in again with a line that begins with '!'")

    def kind(self, path: str) -> Kind | None:
        kind = self._files.kind(path)
        return None if kind is Kind.FILE and self._is_out(normal_path(path)) else kind


def included_in(folder: Path) -> PluginFiles:
    """The files in `folder` that a release of the plugin would contain."""
    try:
        ignoring = ignoring_of(folder)
    except OSError:
        # The error is reported when the folder is copied.
        ignoring = None
    return PluginFolder(folder) if ignoring is None else Included(folder, ignoring.leaves_out_file)
