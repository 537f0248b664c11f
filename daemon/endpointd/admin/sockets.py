"""The lock of the state directory, which only one daemon may use, and the administration's unix socket in it, to which
only those may connect who may control the daemon."""

import errno
import fcntl
import grp
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from endpointd.errors import OperatorError, UsageError

SOCKET = "endpointd.sock"
LOCK = "lock"
_BACKLOG = 128
_MAKING = ".socket-"


class StateLock:
    """The lock of the daemon that uses a state directory. The kernel releases it when the process ends in any way."""

    def __init__(self, state: Path) -> None:
        """Take the lock. Raises `OperatorError` if another daemon has it, or if its file cannot be used."""
        with _explained(state):
            self._fd = os.open(state / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                owner = os.read(self._fd, 20).decode("ascii", "replace").strip()
                os.close(self._fd)
                raise OperatorError(
                    "state_in_use",
                    f"another daemon{f' (pid {owner})' if owner else ''} runs with the state directory {state}",
                    "end that one, or name another directory with --state",
                ) from None
            except OSError:
                os.close(self._fd)
                raise
        # The number is only for people, so a full disk must not keep the daemon from starting.
        with suppress(OSError):
            os.ftruncate(self._fd, 0)
            os.write(self._fd, f"{os.getpid()}\n".encode())

    def release(self) -> None:
        # The file is kept: if it were removed and created again, two daemons could each lock a different file.
        os.close(self._fd)


def listen(state: Path, group: str | None) -> socket.socket:
    """Create a listening socket at `state`/endpointd.sock, for the daemon's user and, if given, the members of `group`.
    Raises `OperatorError`.

    The socket gets its permissions in a folder that nobody else can enter, and is moved to its place then, so that
    others can connect at no moment. It replaces that of a killed daemon; the caller must hold the `StateLock`.
    """
    with _explained(state):
        return _listen(state, group)


def _listen(state: Path, group: str | None) -> socket.socket:
    for left in state.glob(f"{_MAKING}*"):
        shutil.rmtree(left, ignore_errors=True)
    making = Path(tempfile.mkdtemp(prefix=_MAKING, dir=state))
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with OpenFolder(making) as folder:
            listener.bind(folder.path_of(SOCKET))
        (making / SOCKET).chmod(0o600)
        if group is not None:
            _admit(group, state, making / SOCKET)
        listener.listen(_BACKLOG)
        listener.setblocking(False)
        (making / SOCKET).rename(state / SOCKET)
    except BaseException:
        listener.close()
        raise
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return listener


@contextmanager
def _explained(state: Path) -> Iterator[None]:
    """Turn errors of the operating system about the state directory into `OperatorError`."""
    try:
        yield
    except OSError as error:
        is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise OperatorError(
            "state_unusable",
            f"the state directory {state} cannot be used: {error.strerror or error}",
            "make room there, or name another one with --state" if is_full else "name another one with --state",
        ) from error


def remove(state: Path) -> None:
    with suppress(OSError):
        (state / SOCKET).unlink()


def _admit(group: str, state: Path, path: Path) -> None:
    """Let members of the group connect to the socket, and enter the state directory without listing it."""
    try:
        number = int(group) if group.isdecimal() else grp.getgrnam(group).gr_gid
    except KeyError:
        raise UsageError(
            "admin_group_unknown", f"there is no group {group!r}", "create it, or name another one as admin_group"
        ) from None
    try:
        os.chown(path, -1, number)
        path.chmod(0o660)
        found = state.stat()
        if not found.st_mode & 0o001 and not (found.st_gid == number and found.st_mode & 0o010):
            os.chown(state, -1, number)
            state.chmod((found.st_mode & 0o7700) | 0o010)
    except PermissionError as error:
        raise OperatorError(
            "admin_group_refused",
            f"the socket cannot be given to the group {group!r}: {error.strerror}",
            "make the daemon's user a member of that group",
        ) from error


class OpenFolder:
    """An open folder, which gives short paths to its files: the path of a unix socket has at most 107 bytes, which
    paths of folders may exceed."""

    def __init__(self, folder: Path) -> None:
        """Open the folder. Raises OSError."""
        self._fd = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)

    def path_of(self, name: str) -> str:
        return f"/proc/self/fd/{self._fd}/{name}"

    def close(self) -> None:
        os.close(self._fd)

    def __enter__(self) -> "OpenFolder":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
