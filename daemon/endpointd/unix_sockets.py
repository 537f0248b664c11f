"""Unix sockets that clients connect to: made with their rights, and taken away when the daemon ends."""

import grp
import os
import socket
import stat
from contextlib import suppress
from dataclasses import dataclass

from endpointd.errors import UsageError

BACKLOG = 2048


@dataclass(frozen=True, slots=True)
class Rights:
    """`mode` is that of the socket's file; without a `group` it is the group of the daemon's user."""

    mode: int
    group: str | None


def listen_at(path: str, rights: Rights) -> socket.socket:
    """A listening socket. It replaces one on which nobody listens any more. Raises `OSError`, or `UsageError`: there
    is no such group."""
    group = None if rights.group is None else _number_of(rights.group)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # Nobody connects before it listens, and until then it has its rights.
    try:
        if _is_stale(path):
            os.unlink(path)
        listener.bind(path)
        if group is not None:
            os.chown(path, -1, group)
        os.chmod(path, rights.mode)
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return listener


@dataclass(frozen=True, slots=True)
class Made:
    """The file of a socket."""

    path: str
    device: int
    inode: int

    @classmethod
    def at(cls, path: str) -> "Made":
        """Raises `OSError`."""
        found = os.lstat(path)
        return cls(path, found.st_dev, found.st_ino)

    def remove(self) -> None:
        """Take it away, if it is still this one and not that of the next daemon."""
        with suppress(OSError):
            if Made.at(self.path) == self:
                os.unlink(self.path)


def _is_stale(path: str) -> bool:
    """Whether a socket is there that nobody listens on."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            # So it is for a file of another kind, which is left alone: binding fails then.
            return stat.S_ISSOCK(os.lstat(path).st_mode)
        except OSError:
            return False
    return False


def _number_of(group: str) -> int:
    try:
        return int(group) if group.isdecimal() else grp.getgrnam(group).gr_gid
    except KeyError:
        raise UsageError(
            "listen_group_unknown", f"there is no group {group!r}", "create it, or name another one as listen_group"
        ) from None
