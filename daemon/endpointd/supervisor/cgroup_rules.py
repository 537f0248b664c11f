"""What is decided about control groups (cgroup v2): which one the daemon may divide, what is written where. Pure."""

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace

from endpointd.supervisor.limits import ProcessLimits

CONTROLLERS = ("memory", "pids", "cpu")
"""Those that are used, where the system gives them."""
HOST = "host"
"""The group that the daemon moves into: one that gives controllers to groups below it may hold no process itself."""

_OF_SYSTEMD = (".service", ".scope", ".slice")
_LEAF = re.compile(r"worker-(\d+)-\d+")


@dataclass(frozen=True, slots=True)
class Seen:
    """A group as it was found. `is_marked`: systemd says that it has left the group to whoever runs in it."""

    path: str
    is_writable: bool = False
    is_marked: bool = False
    processes: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks for a group of its own. `has_systemd`: the groups of this system are systemd's, unless it gives them."""

    pid: int
    is_root: bool
    has_systemd: bool


@dataclass(frozen=True, slots=True)
class Write:
    """`value` is for the file `name` of a worker's group, and holds a limit together with the others of `controller`.
    `is_extra`: the limit holds without it, though not as well."""

    controller: str
    name: str
    value: str
    is_extra: bool = False


# Where groups are


def own_path(cgroup: str) -> str | None:
    """The group of a process, of its /proc/PID/cgroup; None where the system has version 1 alone."""
    return next((line[3:] for line in cgroup.splitlines() if line.startswith("0::")), None)


def folder_of(path: str, mountinfo: str) -> str | None:
    """The directory of the group `path`, of /proc/self/mountinfo; None when no mount shows it."""
    for line in mountinfo.splitlines():
        fields = line.split(" ")
        root, point, kind = fields[3], fields[4], fields[fields.index("-") + 1]
        inside = _inside(path, _unescape(root))
        if kind == "cgroup2" and inside is not None:
            return _unescape(point).rstrip("/") + inside
    return None


def _inside(path: str, root: str) -> str | None:
    """What follows `root` in `path`, from the slash on. A process may be in a group outside of what it can see."""
    if path.startswith("/.."):
        return None
    if root == "/":
        return path.rstrip("/")
    return path.removeprefix(root) if f"{path}/".startswith(f"{root}/") else None


def _unescape(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)


# Whose groups they are


def divisible(own: Seen, above: Seen | None, asker: Asker) -> Seen | str:
    """The group that the daemon may divide: the one that it is in, or the one above; or why there is none.

    That root may write everywhere proves nothing. What counts as leave is systemd's mark; or a group in which a user
    may write, though not above it; or, where nobody manages groups, one in which nobody else is.
    """
    if own.is_marked and own.is_writable:
        return own
    if above is not None and above.is_marked and above.is_writable and not own.path.endswith(_OF_SYSTEMD):
        # DelegateSubgroup= has put the daemon into a group below its own.
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
    """What is still to be written to cgroup.subtree_control, one by one; of cgroup.controllers and of itself."""
    missing = set(available.split()) - set(enabled.split())
    return [f"+{name}" for name in CONTROLLERS if name in missing]


def enabled_of(enabled: str) -> tuple[str, ...]:
    """The controllers that hold for the groups of workers, of cgroup.subtree_control."""
    return tuple(name for name in CONTROLLERS if name in enabled.split())


# The groups of workers


def leaf_name(daemon: int, number: int) -> str:
    """The group of one worker. No two of one daemon have the same `number`."""
    return f"worker-{daemon}-{number}"


def leftovers(names: Iterable[str], daemons: Collection[int], own: int) -> list[str]:
    """The groups whose daemon is dead, or had the number of this one, which has none yet. `daemons`: the processes
    that are where daemons are."""
    found = ((name, match) for name in sorted(names) if (match := _LEAF.fullmatch(name)))
    return [name for name, match in found if int(match[1]) == own or int(match[1]) not in daemons]


def writes(limits: ProcessLimits, controllers: Collection[str]) -> Iterator[Write]:
    """What makes a worker's group hold `limits`, as far as the controllers allow."""
    if limits.memory and "memory" in controllers:
        # The whole worker ends, rather than a part of it, and what is in swap counts too.
        yield Write("memory", "memory.oom.group", "1", is_extra=True)
        yield Write("memory", "memory.swap.max", "0", is_extra=True)
        yield Write("memory", "memory.max", str(limits.memory))
    if limits.processes and "pids" in controllers:
        yield Write("pids", "pids.max", str(limits.processes))
    if limits.nice and "cpu" in controllers:
        # The kernel makes the weight of it.
        yield Write("cpu", "cpu.weight.nice", str(limits.nice))


def left_to_the_process(limits: ProcessLimits, held: Collection[str]) -> ProcessLimits:
    """What the worker's process still has to be held to by itself when the controllers `held` do their part."""
    memory = 0 if "memory" in held else limits.memory
    processes = 0 if "pids" in held else limits.processes
    return replace(limits, memory=memory, processes=processes)


def killed_for_memory(events: str) -> bool:
    """Whether the system has killed a process of the group for want of memory, of its memory.events."""
    return any(line.startswith("oom_kill ") and line.split()[1] != "0" for line in events.splitlines())
