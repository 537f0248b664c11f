"""Tells on which file systems inotify reports all changes. Pure: the kernel's table of mounts is an argument."""

import re

_SILENT = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "virtiofs", "vboxsf", "prl_fs", "vmhgfs", "ncpfs"}
    | {"fuse", "fuseblk"}
)
"""Types of file systems that can change without this kernel, so that inotify does not report it."""


def kind_of(path: str, mountinfo: str) -> str:
    """The type of the file system that contains `path` (absolute, without symbolic links), according to the text of
    /proc/self/mountinfo; "" if that does not tell."""
    best, kind = -1, ""
    for line in mountinfo.splitlines():
        before, separator, after = line.partition(" - ")
        fields = before.split(" ")
        if not separator or len(fields) < 5:
            continue
        point = _unescaped(fields[4])
        # Of two mounts at the same place, the later one covers the earlier one.
        if len(point) >= best and _is_below(path, point):
            best, kind = len(point), after.split(" ")[0]
    return kind


def tells_changes(kind: str) -> bool:
    """Whether inotify reports all changes on this type of file system. An unknown type is regarded as local."""
    return kind not in _SILENT and not kind.startswith("fuse.")


def _is_below(path: str, point: str) -> bool:
    return path == point or path.startswith(point.rstrip("/") + "/")


def _unescaped(text: str) -> str:
    """Decode mountinfo's escapes: bytes such as spaces are written as a backslash and three octal digits."""
    data = re.sub(rb"\\([0-7]{3})", lambda found: bytes([int(found[1], 8)]), text.encode("utf-8", "surrogateescape"))
    return data.decode("utf-8", "surrogateescape")
