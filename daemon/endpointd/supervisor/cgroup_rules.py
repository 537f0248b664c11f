"""Decisions about control groups (cgroup v2): which one the daemon may divide, and what is written to it. Pure."""

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace

from endpointd.supervisor.limits import ProcessLimits

CONTROLLERS = ("memory", "pids", "cpu")
"""The controllers that are used if they are available."""
HOST = "host"
"""The name of the group that the daemon moves into: a group that enables controllers for its children may contain no
processes itself."""

_OF_SYSTEMD = (".service", ".scope", ".slice")
_LEAF = re.compile(r"worker-(\d+)-\d+")


@dataclass(frozen=True, slots=True)
class Seen:
    """A control group as it was found. `is_marked`: systemd has marked the group as delegated."""

    path: str
    is_writable: bool = False
    is_marked: bool = False
    processes: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Asker:
    """The daemon, which asks for a group of its own. `has_systemd`: systemd owns all groups of this system, except
    those that it delegates."""

    pid: int
    is_root: bool
    has_systemd: bool


@dataclass(frozen=True, slots=True)
class Write:
    """`value` is to be written to the file `name` of a worker's group; with the other writes for `controller` it sets a
    limit. `is_extra`: the limit also works without it, but less well."""

    controller: str
    name: str
    value: str
    is_extra: bool = False


# Where groups are


def own_path(cgroup: str) -> str | None:
    """The path of a process's group, from the text of /proc/PID/cgroup. None if the system only has cgroup v1."""
    return next((line[3:] for line in cgroup.splitlines() if line.startswith("0::")), None)


def folder_of(path: str, mountinfo: str) -> str | None:
    """The directory of the group `path`, from the text of /proc/self/mountinfo. None if no mount shows it."""
    for line in mountinfo.splitlines():
        fields = line.split(" ")
        root, point, kind = fields[3], fields[4], fields[fields.index("-") + 1]
        inside = _inside(path, _unescape(root))
        if kind == "cgroup2" and inside is not None:
            return _unescape(point).rstrip("/") + inside
    return None


def _inside(path: str, root: str) -> str | None:
    """The part of `path` after `root`, beginning with a slash or empty. None if it is not below `root`: a process may
    be in a group that it cannot see."""
    if path.startswith("/.."):
        return None
    if root == "/":
        return path.rstrip("/")
    return path.removeprefix(root) if f"{path}/".startswith(f"{root}/") else None


def _unescape(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)


# Whose groups they are


def divisible(own: Seen, above: Seen | None, asker: Asker) -> Seen | str:
    """The group that the daemon may divide: its own, or the one above. A text that says why, if it may divide none.

    Being able to write to it is no proof, because root can write everywhere. A group may be divided if systemd has
    marked it as delegated; if a user other than root can write to it, but not to the one above; or, without systemd, if
    no other process is in it.
    """
    if own.is_marked and own.is_writable:
        return own
    if above is not None and above.is_marked and above.is_writable and not own.path.endswith(_OF_SYSTEMD):
        # systemd (DelegateSubgroup=) has put the daemon into a group below the delegated one.
        return above
    if not own.is_writable:
        return f"the daemon may not write to its control group {own.path}"
    if asker.has_systemd:
        is_gift = not asker.is_root and (above is None or not above.is_writable)
        return own if is_gift else f"the control group {own.path} is systemd's; Delegate=yes gives it to the daemon"
    if own.processes != {asker.pid}:
        return f"there are other processes in the daemon's control group {own.path}"
    return own


def enabling(available: str, enabled: str) -> list[str]:
    """The words that are still to be written to cgroup.subtree_control, one by one. `available` is the text of
    cgroup.controllers, and `enabled` that of cgroup.subtree_control."""
    missing = set(available.split()) - set(enabled.split())
    return [f"+{name}" for name in CONTROLLERS if name in missing]


def enabled_of(enabled: str) -> tuple[str, ...]:
    """The controllers that are enabled for the workers' groups, from the text of cgroup.subtree_control."""
    return tuple(name for name in CONTROLLERS if name in enabled.split())


# The groups of workers


def leaf_name(daemon: int, number: int) -> str:
    """The name of a worker's group. `daemon` is the daemon's pid, and `number` is unique within the daemon."""
    return f"worker-{daemon}-{number}"


def leftovers(names: Iterable[str], daemons: Collection[int], own: int) -> list[str]:
    """The workers' groups whose daemon is dead. `daemons` are the pids in the daemon's group. `own` is this daemon's
    pid: it has no groups yet, so groups with that number are from an earlier process."""
    found = ((name, match) for name in sorted(names) if (match := _LEAF.fullmatch(name)))
    return [name for name, match in found if int(match[1]) == own or int(match[1]) not in daemons]


def writes(limits: ProcessLimits, controllers: Collection[str]) -> Iterator[Write]:
    """The writes that set `limits` for a worker's group, as far as these controllers allow."""
    if limits.memory and "memory" in controllers:
        # The whole worker is killed rather than one process of it, and it cannot evade the limit by swapping.
        yield Write("memory", "memory.oom.group", "1", is_extra=True)
        yield Write("memory", "memory.swap.max", "0", is_extra=True)
        yield Write("memory", "memory.max", str(limits.memory))
    if limits.processes and "pids" in controllers:
        yield Write("pids", "pids.max", str(limits.processes))
    if limits.nice and "cpu" in controllers:
        # The kernel converts the nice value into a weight.
        yield Write("cpu", "cpu.weight.nice", str(limits.nice))


def left_to_the_process(limits: ProcessLimits, held: Collection[str]) -> ProcessLimits:
    """The limits that the worker's process still has to set for itself if its group has limits by the controllers
    `held`."""
    memory = 0 if "memory" in held else limits.memory
    processes = 0 if "pids" in held else limits.processes
    return replace(limits, memory=memory, processes=processes)


def killed_for_memory(events: str) -> bool:
    """Whether a process of the group was killed because it was out of memory, from the text of memory.events."""
    return any(line.startswith("oom_kill ") and line.split()[1] != "0" for line in events.splitlines())
