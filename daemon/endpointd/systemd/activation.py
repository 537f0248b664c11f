"""Reads which listening sockets systemd hands over to this process (the protocol of sd_listen_fds(3)). Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from endpointd.errors import UsageError

FIRST = 3
"""The number of the first descriptor that is handed over; the others have the numbers after it."""

MOST = 64
"""The largest accepted number of sockets; a larger one must be a mistake."""

VARIABLES = ("LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "LISTEN_PIDFDID")
"""The protocol's environment variables. Child processes must not inherit them."""


@dataclass(frozen=True, slots=True)
class Handed:
    """A descriptor that was handed over, and its name (`FileDescriptorName=` of the unit); empty if it has none."""

    fd: int
    name: str


def handed_over(environment: Mapping[str, str], pid: int) -> list[Handed]:
    """The descriptors that are handed over to the process `pid`; empty if there are none, or if they are meant for
    another process. Raises `UsageError` if the variables contradict each other or are malformed."""
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
