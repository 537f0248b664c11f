"""Which file systems tell of changes, and which must be asked. Pure: the kernel's table of mounts is an argument."""

import re

_SILENT = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "virtiofs", "vboxsf", "prl_fs", "vmhgfs", "ncpfs"}
    | {"fuse", "fuseblk"}
)
"""What others change behind the kernel's back, so that inotify does not see it."""


def kind_of(path: str, mountinfo: str) -> str:
    """The type of the file system that an absolute path without links is on, by the text of /proc/self/mountinfo; ""
    if the text does not tell."""
    best, kind = -1, ""
    for line in mountinfo.splitlines():
        before, separator, after = line.partition(" - ")
        fields = before.split(" ")
        if not separator or len(fields) < 5:
            continue
        point = _unescaped(fields[4])
        # Of two mounts at one place, the later one lies above the other.
        if len(point) >= best and _is_below(path, point):
            best, kind = len(point), after.split(" ")[0]
    return kind


def tells_changes(kind: str) -> bool:
    """Whether inotify can be relied on; an unknown file system is taken for a local one."""
    return kind not in _SILENT and not kind.startswith("fuse.")


def _is_below(path: str, point: str) -> bool:
    return path == point or path.startswith(point.rstrip("/") + "/")


def _unescaped(text: str) -> str:
    """Spaces and the like are written as a backslash and three octal digits; bytes, not characters."""
    data = re.sub(rb"\\([0-7]{3})", lambda found: bytes([int(found[1], 8)]), text.encode("utf-8", "surrogateescape"))
    return data.decode("utf-8", "surrogateescape")
