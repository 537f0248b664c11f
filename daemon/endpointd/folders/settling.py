"""Decides when a changed folder is at rest, so that it can be read. Pure: times are arguments, in seconds.

A folder is due when nothing has changed in it for `QUIET`. If it is not valid then, it may still be being copied: the
caller says `incomplete`, and the folder is due once more, after `PATIENCE` without a change. A folder that never rests
is due `MAX_UNREST` after its first change.
"""

from dataclasses import dataclass, replace

QUIET = 0.3
"""Seconds. Longer than the pauses between two files of `cp`, `rsync`, `git checkout` and editors, and too short to
annoy."""

PATIENCE = 2.0
"""Seconds. Longer than the pauses of a copy over a network, and of a person between two commands."""

MAX_UNREST = 10.0
"""Seconds. A limit, because a plugin may write into its own folder all the time."""

MAX_PATIENCE = 60.0
"""Seconds after which a folder that is neither at rest nor valid is reported. Until then it may be a long copy."""


@dataclass(frozen=True, slots=True)
class _Unrest:
    """The times of a folder's changes. `began`: the first change since the folder was last valid or reported. `since`:
    the first change since it was last due. `last`: the latest change. `wait`: how long it must rest."""

    began: float
    since: float
    last: float
    wait: float

    @property
    def due(self) -> float:
        return min(self.last + self.wait, self.since + MAX_UNREST)


class Settling:
    """The folders that are not at rest, by name."""

    def __init__(self) -> None:
        self._restless: dict[str, _Unrest] = {}
        self._looked_at: dict[str, _Unrest] = {}
        """The same as it was when the folder was last due."""

    def changed(self, folder: str, now: float) -> None:
        """Something in the folder has changed, or the folder has appeared or vanished."""
        before = self._restless.get(folder, _Unrest(now, now, now, QUIET))
        self._restless[folder] = replace(before, last=now, wait=QUIET)

    def rested(self, folder: str, now: float) -> None:
        """The folder was moved in as a whole, and is known to have been at rest for `QUIET` before."""
        unrest = self._restless.get(folder)
        if unrest is not None:
            self._restless[folder] = replace(unrest, last=min(unrest.last, now - QUIET))

    def due(self, now: float) -> list[str]:
        """The folders to be read now, sorted by name. Each is returned only once."""
        names = sorted(name for name, unrest in self._restless.items() if unrest.due <= now)
        for name in names:
            self._looked_at[name] = self._restless.pop(name)
        return names

    def next_due(self) -> float | None:
        """The time at which the next folder is due if nothing else changes; None if there is none."""
        return min((unrest.due for unrest in self._restless.values()), default=None)

    def incomplete(self, folder: str, now: float) -> bool:
        """The folder was due and was read, but is not valid. Returns whether it will be due once more; if not, it
        should be reported now."""
        before = self._looked_at.pop(folder, None)
        if before is None or now >= before.began + MAX_PATIENCE:
            return False
        newer = self._restless.get(folder)
        if newer is not None:
            self._restless[folder] = replace(newer, began=before.began)
            return True
        if now >= before.last + PATIENCE:
            return False
        self._restless[folder] = replace(before, since=now, wait=PATIENCE)
        return True
