"""How the reader asks for a plugin's files, and what a file that cannot be had looks like.

Paths are relative to the plugin's folder and use `/`, as they are written in the YAML.
"""

from enum import StrEnum
from typing import Protocol


class FileProblem(Exception):
    """A file of the plugin cannot be used. `code` is stable, `message` says why, `remedy` what to do."""

    def __init__(self, code: str, message: str, remedy: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.remedy = remedy


class Kind(StrEnum):
    """What a path leads to."""

    FILE = "file"
    DIRECTORY = "directory"


class PluginFiles(Protocol):
    """A plugin's files, wherever they are kept."""

    def read(self, path: str) -> bytes:
        """The whole file; FileProblem if it is missing, outside the folder, unreadable or too large."""
        ...

    def check(self, path: str) -> None:
        """FileProblem unless the path is a regular, readable file inside the folder; its text is not read."""
        ...

    def kind(self, path: str) -> Kind | None:
        """What is there; None for nothing, for anything outside the folder and for anything else."""
        ...


def has_file(files: PluginFiles, path: str) -> bool:
    """Whether the path leads to a file that can be read."""
    try:
        files.check(normal_path(path))
    except FileProblem:
        return False
    return True


def normal_path(path: str) -> str:
    """The path without `.` and empty segments; FileProblem if it cannot be a path inside the folder.

    Only the text is judged here: where symbolic links lead is for whoever opens the file.
    """
    inside = "write a path relative to the plugin's folder, with '/' between its parts"
    if not path.strip():
        raise FileProblem("path_empty", "the path is empty", inside)
    if "\0" in path:
        raise FileProblem("path_invalid", "the path contains a NUL character", inside)
    if path.startswith("/"):
        raise FileProblem("path_absolute", f"{path!r} is an absolute path", inside)
    if "\\" in path:
        raise FileProblem("path_backslash", f"{path!r} contains a backslash", inside)
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise FileProblem("path_outside", f"{path!r} leaves the plugin's folder", "remove '..' from the path")
    if not parts:
        raise FileProblem("path_invalid", f"{path!r} is the plugin's folder itself", inside)
    return "/".join(parts)
