"""Creates listening unix sockets with their permissions, and removes their files when the daemon ends."""

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
    """The permissions of a socket's file. If `group` (a name or number) is None, it is the daemon's own group."""

    mode: int
    group: str | None


def listen_at(path: str, rights: Rights) -> socket.socket:
    """Create a listening socket. It replaces a socket file on which nobody listens any more. Raises OSError, and
    `UsageError` if the group does not exist."""
    group = None if rights.group is None else _number_of(rights.group)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # Clients cannot connect before `listen`, so the permissions are set in time.
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
    """The file of a socket that was created here, identified by its device and inode."""

    path: str
    device: int
    inode: int

    @classmethod
    def at(cls, path: str) -> "Made":
        """The file at `path`. Raises OSError."""
        found = os.lstat(path)
        return cls(path, found.st_dev, found.st_ino)

    def remove(self) -> None:
        """Remove the file, unless another one has taken its place, such as the next daemon's."""
        with suppress(OSError):
            if Made.at(self.path) == self:
                os.unlink(self.path)


def _is_stale(path: str) -> bool:
    """Whether the path is a socket on which nobody listens."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            # A connection to a file of another type is refused too; such a file is kept, and `bind` will fail.
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
