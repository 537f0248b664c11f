"""A plugin's files as far as they are part of it: what its ignore file names is there, and is not."""

from collections.abc import Callable
from pathlib import Path

from endpointd.folder import PluginFolder
from endpointd.leftout import IGNORE_FILE
from endpointd.manifest.files import FileProblem, Kind, PluginFiles, normal_path
from endpointd.tree import ignoring_of


class Included:
    """The files of the plugin in `folder`, without those whose paths `is_out`."""

    def __init__(self, folder: Path, is_out: Callable[[str], bool]) -> None:
        self._files = PluginFolder(folder)
        self._is_out = is_out

    def read(self, path: str) -> bytes:
        self.check(path)
        return self._files.read(path)

    def check(self, path: str) -> None:
        """FileProblem for what is not there too."""
        self._files.check(path)
        if self._is_out(normal_path(path)):
            message = f"{path!r} is not part of the plugin, because the ignore file ({IGNORE_FILE}) leaves it out"
            raise FileProblem("file_ignored", message, "take it in again with a line that begins with '!'")

    def kind(self, path: str) -> Kind | None:
        kind = self._files.kind(path)
        return None if kind is Kind.FILE and self._is_out(normal_path(path)) else kind


def included_in(folder: Path) -> PluginFiles:
    """The files that a release of the plugin in `folder` has."""
    try:
        ignoring = ignoring_of(folder)
    except OSError:
        # Whoever copies the folder will tell.
        ignoring = None
    return PluginFolder(folder) if ignoring is None else Included(folder, ignoring.leaves_out_file)
