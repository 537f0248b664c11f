"""The interface through which a plugin's files are read, and the error for a file that cannot be used.

Paths are relative to the plugin's folder and use `/`, as in the YAML.
"""

from enum import StrEnum
from typing import Protocol


class FileProblem(Exception):
    """A file of the plugin cannot be used. `code` is stable; `message` says why, `remedy` what to do."""

    def __init__(self, code: str, message: str, remedy: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.remedy = remedy


class Kind(StrEnum):
    """What is at a path."""

    FILE = "file"
    DIRECTORY = "directory"


class PluginFiles(Protocol):
    """The files of a plugin: in a folder, a release, or an archive."""

    def read(self, path: str) -> bytes:
        """The whole file. Raises `FileProblem` if it is missing, outside the folder, unreadable or too large."""
        ...

    def check(self, path: str) -> None:
        """Raise `FileProblem` unless the path is a regular, readable file inside the folder. Does not read it."""
        ...

    def kind(self, path: str) -> Kind | None:
        """What is at the path; None if nothing is there, or neither a file nor a folder, or outside the folder."""
        ...


def has_file(files: PluginFiles, path: str) -> bool:
    """Whether the path is a file that can be read."""
    try:
        files.check(normal_path(path))
    except FileProblem:
        return False
    return True


def normal_path(path: str) -> str:
    """The path without `.` and empty segments. Raises `FileProblem` if it cannot be a path inside the folder.

    Only the text is checked. Symbolic links are checked when the file is opened.
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
