"""Which sockets a service manager has opened for this process: the protocol of sd_listen_fds. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from endpointd.errors import UsageError

FIRST = 3
"""The first descriptor that is handed over; the others follow it."""

MOST = 64
"""More sockets than anybody listens on; a larger number is a mistake."""

VARIABLES = ("LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "LISTEN_PIDFDID")
"""What the manager says in the environment. Children must not take it for theirs."""


@dataclass(frozen=True, slots=True)
class Handed:
    """One descriptor, and the name that its unit gives it (`FileDescriptorName=`); empty where it gives none."""

    fd: int
    name: str


def handed_over(environment: Mapping[str, str], pid: int) -> list[Handed]:
    """What is meant for the process `pid`; nothing when no manager speaks, or speaks to another process.

    UsageError: what it says makes no sense.
    """
    count = environment.get("LISTEN_FDS", "")
    if not count or environment.get("LISTEN_PID") != str(pid):
        return []
    if not count.isdecimal() or int(count) > MOST:
        raise _senseless(f"LISTEN_FDS is {count!r}, not a number up to {MOST}")
    names = environment["LISTEN_FDNAMES"].split(":") if "LISTEN_FDNAMES" in environment else [""] * int(count)
    if len(names) != int(count):
        raise _senseless(f"LISTEN_FDS is {count}, and LISTEN_FDNAMES has {len(names)} names")
    return [Handed(FIRST + number, name) for number, name in enumerate(names)]


def _senseless(reason: str) -> UsageError:
    return UsageError(
        "sockets_invalid",
        f"the sockets that the service manager hands over cannot be used: {reason}",
        "let systemd start the daemon, or unset LISTEN_FDS",
    )
