"""Releases: immutable copies of plugins' folders, which workers run. Each is named by the digest of its content.

The copy is `<releases>/<author>+<name>/<digest>/`. The modification time of the file `<digest>.served` beside it says
when it was last put in service. Names that begin with "." are being built or removed. A copy gets its name only when it
is completely on the disk, so that a copy with a name is complete even after a power cut.
"""

import errno
import os
import shutil
import tempfile
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from endpointd.folders.digest import digest_of, expect_unchanged
from endpointd.folders.disk import write_out
from endpointd.folders.tree import FolderChanged, Item, Kind, ReleaseError, link_text, pieces, survey

__all__ = ["FolderChanged", "Release", "ReleaseError", "Releases"]

SERVED = ".served"


@dataclass(frozen=True, slots=True)
class Release:
    plugin_id: str
    digest: str
    path: Path


class Releases:
    """The releases in the directory `root`, which is created when it is needed. Blocking, to be used in a thread.

    Only one daemon may use a directory: two would remove what the other one is building.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def make(self, folder: Path, plugin_id: str) -> Release:
        """The release with the folder's present content; the folder is copied unless that release exists.

        Raises `FolderChanged` if the folder changes meanwhile, `ReleaseError` if it cannot be copied. Leaves nothing
        behind then.
        """
        source = folder.resolve()
        items = survey(source)
        release = self._release(plugin_id, digest_of(source, items))
        if not release.path.is_dir():
            with _explained(self._root):
                self._build(source, items, release)
        expect_unchanged(source, items)
        return release

    def touch(self, release: Release) -> None:
        """Record that the release is put in service now. Raises `ReleaseError`."""
        times = [_served(one) for one in self._all(release.plugin_id)]
        # Later than all others, even if the clock was set back.
        now = max([time.time_ns(), *(when + 1 for when in times)])
        with _explained(self._root):
            mark = _mark(release)
            mark.touch()
            os.utime(mark, ns=(now, now))

    def previous(self, plugin_id: str) -> list[Release]:
        """All releases of the plugin, the one that was put in service last first; those that never were come last."""
        return sorted(self._all(plugin_id), key=_served, reverse=True)

    def proved(self, plugin_id: str) -> list[Release]:
        """The releases of the plugin that were in service, the latest first."""
        return [release for release in self.previous(plugin_id) if _served(release)]

    def prune(self, plugin_id: str, keep: int, in_use: Collection[str]) -> None:
        """Remove old releases: all except those with a digest in `in_use`, and the `keep` latest of the others. Raises
        `ReleaseError`."""
        for release in [one for one in self.previous(plugin_id) if one.digest not in in_use][keep:]:
            self._discard(release.path)
            with _explained(self._root):
                _mark(release).unlink(missing_ok=True)

    def remove_all(self, plugin_id: str) -> None:
        """Remove all releases of a plugin, of which no worker may be running. Raises `ReleaseError`."""
        self._discard(self._home(plugin_id))

    def clean(self) -> None:
        """Remove what a killed daemon was building or removing. To be called before anything else."""
        with suppress(FileNotFoundError, NotADirectoryError):
            for item in os.listdir(self._root):
                if item.startswith("."):
                    shutil.rmtree(self._root / item, ignore_errors=True)

    def _home(self, plugin_id: str) -> Path:
        # Names of plugins and authors have no "+".
        return self._root / plugin_id.replace("/", "+")

    def _release(self, plugin_id: str, digest: str) -> Release:
        return Release(plugin_id, digest, self._home(plugin_id) / digest)

    def _all(self, plugin_id: str) -> list[Release]:
        try:
            names = os.listdir(self._home(plugin_id))
        except (FileNotFoundError, NotADirectoryError):
            return []
        found = [self._release(plugin_id, name) for name in names if not name.endswith(SERVED)]
        return [release for release in found if release.path.is_dir()]

    def _build(self, source: Path, items: Iterable[Item], release: Release) -> None:
        release.path.parent.mkdir(parents=True, exist_ok=True)
        new = Path(tempfile.mkdtemp(prefix=".new-", dir=self._root))
        try:
            new.chmod(0o755)
            _copy(source, items, new)
            # Check the copy itself: if a file was written while it was copied, the digest differs.
            if digest_of(new, survey(new)) != release.digest:
                raise FolderChanged(str(source))
            expect_unchanged(source, list(items))
            write_out(new)
            with suppress(FileExistsError):
                new.rename(release.path)
        except OSError as error:
            if error.errno == errno.ENOTEMPTY and release.path.is_dir():
                return
            raise
        finally:
            shutil.rmtree(new, ignore_errors=True)

    def _discard(self, path: Path) -> None:
        """Remove a directory; its name is free at once, because it is moved away first."""
        if not path.exists():
            return
        with _explained(self._root):
            away = Path(tempfile.mkdtemp(prefix=".old-", dir=self._root))
            try:
                path.rename(away / path.name)
            finally:
                shutil.rmtree(away, ignore_errors=True)


def _mark(release: Release) -> Path:
    return release.path.with_name(release.digest + SERVED)


def _served(release: Release) -> int:
    try:
        return _mark(release).stat().st_mtime_ns
    except OSError:
        return 0


def _copy(source: Path, items: Iterable[Item], target: Path) -> None:
    """Copy contents, links, permissions and times. (Python's bytecode is only valid with the source's time.) Never
    makes hard links, through which an edit of the folder would change the release."""
    for item in items:
        path = target / item.path
        if item.kind is Kind.DIRECTORY:
            path.mkdir()
        elif item.kind is Kind.LINK:
            path.symlink_to(link_text(source, item))
        else:
            state = item.state
            with path.open("xb") as file:
                for piece in pieces(source, item):
                    file.write(piece)
            path.chmod(state.st_mode & 0o777)
            os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))


@contextmanager
def _explained(root: Path) -> Iterator[None]:
    """Turn errors of the operating system into `ReleaseError`."""
    try:
        yield
    except OSError as error:
        message = f"a release cannot be written to {str(root)!r}: {error.strerror}"
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise ReleaseError("release_disk_full", message, "make room there, or name another --state") from error
        remedy = "let the user that runs the daemon write there, or name another --state"
        raise ReleaseError("release_not_written", message, remedy) from error
