"""Releases: immutable copies of plugins' folders, each named by the digest of its content; what a worker runs.

`<releases>/<author>+<name>/<digest>/` is the copy, `<digest>.served` beside it tells by its time when it was last put
in service. What begins with "." is being built or removed. A copy gets its name when all of it is on the disk, so that
what has its name is whole, even after a power cut.
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

from endpointd.digest import digest_of, expect_unchanged
from endpointd.disk import write_out
from endpointd.tree import FolderChanged, Item, Kind, ReleaseError, link_text, pieces, survey

__all__ = ["FolderChanged", "Release", "ReleaseError", "Releases"]

SERVED = ".served"


@dataclass(frozen=True, slots=True)
class Release:
    plugin_id: str
    digest: str
    path: Path


class Releases:
    """The releases in the directory `root`, which is made when it is needed. Blocking; for a thread.

    For one daemon: two of them would remove what the other builds.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def make(self, folder: Path, plugin_id: str) -> Release:
        """The release with the folder's content as it is now, copied unless there is one.

        Raises `FolderChanged` when the folder changes meanwhile, `ReleaseError` when it cannot be copied. Then nothing
        is left behind.
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
        """Note that the release is put in service now. Raises `ReleaseError`."""
        times = [_served(one) for one in self._all(release.plugin_id)]
        # A clock that was set back does not change the order.
        now = max([time.time_ns(), *(when + 1 for when in times)])
        with _explained(self._root):
            mark = _mark(release)
            mark.touch()
            os.utime(mark, ns=(now, now))

    def previous(self, plugin_id: str) -> list[Release]:
        """All releases of the plugin, the one that was last put in service first. Those that never were come last."""
        return sorted(self._all(plugin_id), key=_served, reverse=True)

    def proved(self, plugin_id: str) -> list[Release]:
        """Those of the plugin that were in service, the latest first."""
        return [release for release in self.previous(plugin_id) if _served(release)]

    def prune(self, plugin_id: str, keep: int, in_use: Collection[str]) -> None:
        """Remove all releases but those with a digest in `in_use` and the `keep` latest of the others. Raises
        `ReleaseError`."""
        for release in [one for one in self.previous(plugin_id) if one.digest not in in_use][keep:]:
            self._discard(release.path)
            with _explained(self._root):
                _mark(release).unlink(missing_ok=True)

    def remove_all(self, plugin_id: str) -> None:
        """Remove every release of the plugin; no worker of it runs any more. Raises `ReleaseError`."""
        self._discard(self._home(plugin_id))

    def clean(self) -> None:
        """Remove what a daemon that was killed was building or removing. Before anything else is called."""
        with suppress(FileNotFoundError, NotADirectoryError):
            for item in os.listdir(self._root):
                if item.startswith("."):
                    shutil.rmtree(self._root / item, ignore_errors=True)

    def _home(self, plugin_id: str) -> Path:
        # No name of a plugin or an author has a "+".
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
            # What was copied is looked at, and not what there was to copy: a write in between shows here at the latest.
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
        """Take the directory away under its name at once, and then remove what is in it."""
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
    """Contents, links, permissions and times: Python's bytecode beside a source is valid by the source's time. Never
    hard links, through which an edit would reach the release."""
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
    """Turn what the operating system says about the releases' place into a `ReleaseError`."""
    try:
        yield
    except OSError as error:
        message = f"a release cannot be written to {str(root)!r}: {error.strerror}"
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise ReleaseError("release_disk_full", message, "make room there, or name another --state") from error
        remedy = "let the user that runs the daemon write there, or name another --state"
        raise ReleaseError("release_not_written", message, remedy) from error
