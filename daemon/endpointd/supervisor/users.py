"""The user that a plugin's worker runs as, if it is not the daemon's own."""

import grp
import os
import pwd
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from endpointd.errors import OperatorError


@dataclass(frozen=True, slots=True)
class Account:
    """The user that a process is to run as, with its group, its supplementary groups and its home directory."""

    name: str
    uid: int
    gid: int
    groups: tuple[int, ...]
    home: str

    @property
    def environment(self) -> dict[str, str]:
        return {"HOME": self.home, "USER": self.name, "LOGNAME": self.name}


def find_account(user: str | None, group: str | None = None) -> Account | None:
    """The account for the settings `user` and `group`, each of which is a name or a number.

    None if it is the daemon's own. Raises `OperatorError` if there is no such user or group, or the daemon may not run
    processes as it.
    """
    if user is None:
        if group is not None:
            raise OperatorError("user_missing", f"group is {group}, but no user is set", "set user as well")
        return None
    account = _with_group(user, group)
    if account.uid == os.geteuid() and account.gid == os.getegid():
        return None
    if os.geteuid() != 0:
        message = f"plugins are to run as {account.name}, and only root can run them as another user"
        raise OperatorError("user_not_allowed", message, "start the daemon as root, or without user")
    return account


def _with_group(user: str, group: str | None) -> Account:
    entry = _user_entry(user)
    if entry is None:
        if group is None:
            message = f"the number {user} is no user's, so that its group is not known"
            raise OperatorError("group_missing", message, "set group as well")
        gid = _group_number(group)
        return Account(user, int(user), gid, (gid,), "/")
    gid = entry.pw_gid if group is None else _group_number(group)
    groups = tuple(os.getgrouplist(entry.pw_name, gid))
    return Account(entry.pw_name, entry.pw_uid, gid, groups, entry.pw_dir)


def _user_entry(user: str) -> pwd.struct_passwd | None:
    """The system's entry for a user; None for a number without one. Raises `OperatorError` for an unknown name."""
    try:
        return pwd.getpwuid(int(user)) if user.isdecimal() else pwd.getpwnam(user)
    except KeyError:
        if user.isdecimal():
            return None
        raise OperatorError("user_unknown", f"there is no user {user!r}", "make it, or name another one") from None


def _group_number(group: str) -> int:
    if group.isdecimal():
        return int(group)
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        raise OperatorError("group_unknown", f"there is no group {group!r}", "make it, or name another one") from None


def out_of_reach(account: Account, paths: Iterable[Path]) -> Path | None:
    """The first of `paths`, or of the folders above them, that the account may not read or enter, judged by permission
    bits.

    It ignores access control lists, which may grant more: use it for explanations, not for decisions.
    """
    for path in paths:
        real = path.resolve()
        for part in (*reversed(real.parents), real):
            if not _is_open_to(account, part):
                return part
    return None


def _is_open_to(account: Account, path: Path) -> bool:
    try:
        status = path.stat()
    except OSError:
        return False
    if account.uid == 0:
        return True
    # A folder needs the right to enter it, a file the right to read it.
    needed = stat.S_IXOTH if stat.S_ISDIR(status.st_mode) else stat.S_IROTH
    if status.st_uid == account.uid:
        needed <<= 6
    elif status.st_gid in (account.gid, *account.groups):
        needed <<= 3
    return bool(status.st_mode & needed)
