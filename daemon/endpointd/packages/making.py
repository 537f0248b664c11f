"""Creates a package from a plugin's folder."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from endpointd.folders.folder import PluginFolder
from endpointd.folders.ignoring import Ignoring
from endpointd.folders.included import Included
from endpointd.folders.leftout import IGNORE_FILE, MAX_IGNORE
from endpointd.folders.tree import FolderChanged, Item, pieces, survey
from endpointd.folders.tree import Kind as ItemKind
from endpointd.manifest.asynchronous import async_warnings
from endpointd.manifest.files import FileProblem
from endpointd.manifest.findings import Finding
from endpointd.manifest.model import Plugin
from endpointd.manifest.reading import read_plugin
from endpointd.packages.checksum import checksum_of
from endpointd.packages.errors import PackageError, too_large
from endpointd.packages.limits import PackageLimits
from endpointd.packages.names import check_names
from endpointd.packages.seal import VERIFICATION
from endpointd.packages.writing import Writer

ALWAYS = (".env", "*.difypkg", f"/{VERIFICATION}")
"""Patterns that are excluded unless the ignore file includes them (`!.env`): secrets, packages, the file that signing
adds."""

GIT_IGNORE = ".gitignore"
"""The file that is used if there is no ignore file, as in Dify."""


@dataclass(frozen=True, slots=True)
class Made:
    """A package that was created. `left_out` are the files and folders that the ignore patterns exclude; `size` is the
    total size of the contents in bytes."""

    plugin: Plugin
    checksum: str
    files: tuple[str, ...]
    left_out: tuple[str, ...]
    size: int
    warnings: tuple[Finding, ...]


def make_package(folder: Path, out: BinaryIO, limits: PackageLimits) -> Made:
    """Write a package of the plugin in `folder` to `out`. Raises `OperatorError`; the caller must then discard what was
    written."""
    try:
        return _make(folder, out, limits)
    except FolderChanged as error:
        raise PackageError(
            "folder_changing", f"{folder} was changed while it was read", "try again when it is at rest"
        ) from error


def _make(folder: Path, out: BinaryIO, limits: PackageLimits) -> Made:
    items, left_out = _chosen(folder)
    _check(items, limits)
    names = frozenset(item.path for item in items)
    inside = Included(folder, lambda path: path not in names)
    reading = read_plugin(inside)
    if reading.plugin is None:
        errors = "; ".join(str(finding) for finding in reading.errors)
        raise PackageError("plugin_invalid", f"{folder} cannot be served: {errors}", "see 'endpointd check'")
    writer = Writer(out)
    for item in items:
        writer.add(item.path, _content(folder, item))
    writer.finish()
    if out.tell() > limits.size:
        raise too_large(f"more than {limits.size} bytes")
    size = sum(item.state.st_size for item in items)
    files = tuple(item.path for item in items)
    warnings = (*reading.warnings, *async_warnings(reading.plugin, inside))
    return Made(reading.plugin, checksum_of(writer.digests), files, tuple(left_out), size, warnings)


def _content(folder: Path, item: Item) -> Iterator[bytes]:
    """The content of a file. Raises `FolderChanged` if the file has changed meanwhile."""
    size = 0
    for piece in pieces(folder, item):
        size += len(piece)
        yield piece
    if size != item.state.st_size:
        raise FolderChanged(str(folder))


def _chosen(folder: Path) -> tuple[list[Item], list[str]]:
    """The files that belong in the package, and the paths of what was excluded."""
    ignoring = _ignoring(folder)
    chosen: list[Item] = []
    left_out: list[str] = []
    closed: set[str] = set()
    for item in survey(folder, ignored=True):
        is_folder = item.kind is ItemKind.DIRECTORY
        if item.path.rpartition("/")[0] in closed:
            closed.add(item.path)
        elif ignoring.leaves_out(item.path, is_folder=is_folder):
            closed.add(item.path)
            left_out.append(item.path)
        elif item.kind is ItemKind.LINK:
            message = f"{item.path!r} is a symbolic link, and packages have none"
            raise PackageError("package_link", message, "put the file itself there, or name it in .difyignore")
        elif not is_folder:
            chosen.append(item)
    return chosen, left_out


def _ignoring(folder: Path) -> Ignoring:
    files = PluginFolder(folder, MAX_IGNORE)
    for name in (IGNORE_FILE, GIT_IGNORE):
        if files.kind(name) is not None:
            try:
                return Ignoring.of(files.read(name), ALWAYS)
            except FileProblem as error:
                raise PackageError(error.code, str(error), error.remedy) from error
    return Ignoring(ALWAYS)


def _check(items: list[Item], limits: PackageLimits) -> None:
    check_names(item.path for item in items)
    if len(items) > limits.files:
        raise too_large(f"more than {limits.files} files")
    if sum(item.state.st_size for item in items) > limits.size:
        raise too_large(f"files of more than {limits.size} bytes")
