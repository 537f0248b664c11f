"""When a folder that changes is at rest. Pure: times are arguments, in seconds.

A folder is due when nothing has changed in it for `QUIET`. What is not right then may be half of something that is
still being copied: the caller says `incomplete`, and the folder is due once more after `PATIENCE` without a change,
when it is what it is. A folder that never rests is due all the same, `MAX_UNREST` after its first change.
"""

from dataclasses import dataclass, replace

QUIET = 0.3
"""Longer than the pauses of `cp`, `rsync`, `git checkout` and editors between two files, and not felt by a person."""

PATIENCE = 2.0
"""Longer than the pauses of a copy over a network, and of a person between two commands."""

MAX_UNREST = 10.0
"""So that a plugin that writes into its own folder all the time does not hide its changes for ever."""

MAX_PATIENCE = 60.0
"""So that a folder that neither rests nor is right is reported at last; else it is a long copy."""


@dataclass(frozen=True, slots=True)
class _Unrest:
    """`began`: the first change since the folder was last right, or reported. `since`: the first one that it was not
    looked at for. `last`: the latest one. `wait`: the rest that is asked for."""

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
        """As they were when they were last due."""

    def changed(self, folder: str, now: float) -> None:
        """Something in the folder, or the folder itself, is not what it was; also when it has gone."""
        before = self._restless.get(folder, _Unrest(now, now, now, QUIET))
        self._restless[folder] = replace(before, last=now, wait=QUIET)

    def rested(self, folder: str, now: float) -> None:
        """It is known that the latest change within the folder, which has come as a whole, was `QUIET` ago."""
        unrest = self._restless.get(folder)
        if unrest is not None:
            self._restless[folder] = replace(unrest, last=min(unrest.last, now - QUIET))

    def due(self, now: float) -> list[str]:
        """The folders that are to be looked at now, in the order of their names; each is told once."""
        names = sorted(name for name, unrest in self._restless.items() if unrest.due <= now)
        for name in names:
            self._looked_at[name] = self._restless.pop(name)
        return names

    def next_due(self) -> float | None:
        """When `due` will have something to tell, if nothing changes; None: never."""
        return min((unrest.due for unrest in self._restless.values()), default=None)

    def incomplete(self, folder: str, now: float) -> bool:
        """The folder, which was due, was looked at and is not right. Whether it will be due once more: if not, it has
        had its time, and is to be reported as it is."""
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

    def removed(self, folder: str) -> None:
        """Nobody is interested in the folder any more."""
        self._restless.pop(folder, None)
        self._looked_at.pop(folder, None)
