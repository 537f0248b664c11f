"""Which control group the daemon may divide, and what is written where."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from endpointd.supervisor import cgroup_rules as rules
from endpointd.supervisor.cgroup_rules import CONTROLLERS, Asker, Seen, Write
from endpointd.supervisor.limits import ProcessLimits

MIB = 1024 * 1024
PID = 100
HYBRID = "9:name=systemd:/\n4:memory:/some/where\n0::/init.scope\n"
MOUNTS = """\
22 1 8:1 / / rw,relatime - ext4 /dev/vda rw
31 22 0:28 / /sys/fs/cgroup ro,nosuid - tmpfs tmpfs ro,mode=755
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime shared:4 master:1 - cgroup2 cgroup2 rw,nsdelegate
"""

# Where groups are


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("0::/system.slice/endpointd.service\n", "/system.slice/endpointd.service"),
        (HYBRID, "/init.scope"),
        ("0::/\n", "/"),
        ("4:memory:/a\n1:name=systemd:/b\n", None),
        ("", None),
    ],
)
def test_the_group_of_a_process(text: str, path: str | None) -> None:
    assert rules.own_path(text) == path


def mount(root: str, point: str) -> str:
    return f"41 31 0:38 {root} {point} rw - cgroup2 cgroup2 rw\n"


@pytest.mark.parametrize(
    ("path", "mounts", "folder"),
    [
        ("/a/b", MOUNTS, "/sys/fs/cgroup/unified/a/b"),
        ("/", MOUNTS, "/sys/fs/cgroup/unified"),
        ("/a/b", mount("/", "/sys/fs/cgroup"), "/sys/fs/cgroup/a/b"),
        # A container that sees its own group alone, under the name that it has outside.
        ("/docker/1f", mount("/docker/1f", "/sys/fs/cgroup"), "/sys/fs/cgroup"),
        ("/docker/1f/host", mount("/docker/1f", "/sys/fs/cgroup"), "/sys/fs/cgroup/host"),
        ("/docker/1f2", mount("/docker/1f", "/sys/fs/cgroup"), None),
        ("/docker", mount("/docker/1f", "/sys/fs/cgroup"), None),
        # The one that shows it counts.
        ("/b", mount("/a", "/first") + mount("/", "/second"), "/second/b"),
        ("/a", mount("/", r"/with\040blank"), "/with blank/a"),
        ("/a", mount("/", "/"), "/a"),
        ("/../other", mount("/", "/sys/fs/cgroup"), None),
        ("/a", "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n", None),
        ("/a", "", None),
    ],
)
def test_the_folder_of_a_group(path: str, mounts: str, folder: str | None) -> None:
    assert rules.folder_of(path, mounts) == folder


# Whose groups they are

UNIT = Seen("/system.slice/endpointd.service", is_writable=True, processes=frozenset({PID}))
SLICE = Seen("/system.slice")
ROOT = Asker(PID, is_root=True, has_systemd=True)
USER = replace(ROOT, is_root=False)
ALONE = replace(ROOT, has_systemd=False)
MARKED = replace(UNIT, is_marked=True)
BELOW = Seen(f"{UNIT.path}/host", is_writable=True, processes=frozenset({PID}))
CROWD = frozenset({PID, 1})

OWN = [
    # Delegate=yes, whoever the service's user is, and whoever else is in it.
    (MARKED, SLICE, ROOT),
    (MARKED, SLICE, USER),
    (replace(MARKED, processes=CROWD), SLICE, USER),
    (MARKED, replace(SLICE, is_writable=True), USER),
    (MARKED, replace(SLICE, is_writable=True, is_marked=True), USER),
    # An older systemd marks for root's eyes alone.
    (UNIT, SLICE, USER),
    # Nobody manages the groups.
    (UNIT, SLICE, ALONE),
    (replace(UNIT, path="/"), None, ALONE),
    (replace(UNIT, path="/"), None, replace(ALONE, is_root=False)),
]


@pytest.mark.parametrize(("own", "above", "asker"), OWN)
def test_the_daemons_own_group_is_divided(own: Seen, above: Seen | None, asker: Asker) -> None:
    assert rules.divisible(own, above, asker) is own


@pytest.mark.parametrize("asker", [ROOT, USER])
def test_the_group_above_is_divided_when_systemd_has_put_the_daemon_below_it(asker: Asker) -> None:
    above = replace(MARKED, processes=frozenset())
    assert rules.divisible(BELOW, above, asker) is above


NEITHER = [
    # A service without Delegate=, as root; and of a user's own systemd, which may write to all of its groups.
    (UNIT, replace(SLICE, is_writable=True), ROOT, "Delegate=yes"),
    (UNIT, replace(SLICE, is_writable=True), USER, "Delegate=yes"),
    (UNIT, None, ROOT, "Delegate=yes"),
    # The same, of a user's systemd to which everything above is left.
    (UNIT, replace(SLICE, is_writable=True, is_marked=True), USER, "Delegate=yes"),
    # /sys/fs/cgroup is read-only: a container, or ProtectControlGroups=.
    (replace(MARKED, is_writable=False), SLICE, ROOT, "may not write"),
    (replace(UNIT, is_writable=False), SLICE, ALONE, "may not write"),
    (replace(BELOW, is_writable=False), replace(MARKED, is_writable=False), ROOT, "may not write"),
    # A login, or the first group of all.
    (replace(UNIT, processes=CROWD), SLICE, ALONE, "other processes"),
    (replace(UNIT, path="/", processes=CROWD), None, ALONE, "other processes"),
    (replace(UNIT, processes=frozenset()), SLICE, ALONE, "other processes"),
]


@pytest.mark.parametrize(("own", "above", "asker", "because"), NEITHER)
def test_what_is_not_left_to_the_daemon_is_left_alone(
    own: Seen, above: Seen | None, asker: Asker, because: str
) -> None:
    reason = rules.divisible(own, above, asker)
    assert isinstance(reason, str)
    assert because in reason
    assert own.path in reason


SEEN = st.builds(Seen, st.just("/a/b"), st.booleans(), st.booleans(), st.frozensets(st.sampled_from([1, PID])))


@given(own=SEEN, above=st.none() | SEEN, is_root=st.booleans(), has_systemd=st.booleans())
def test_nobody_divides_what_is_not_marked_not_a_gift_and_not_his_alone(
    own: Seen, above: Seen | None, is_root: bool, has_systemd: bool
) -> None:
    found = rules.divisible(own, above, Asker(PID, is_root, has_systemd))
    if isinstance(found, Seen):
        assert found.is_writable
        is_a_gift = not is_root and has_systemd and not (above and above.is_writable)
        is_alone = not has_systemd and own.processes == {PID}
        assert found.is_marked or is_a_gift or is_alone


# Controllers


@pytest.mark.parametrize(
    ("available", "enabled", "words"),
    [
        ("cpuset cpu io memory pids", "", ["+memory", "+pids", "+cpu"]),
        ("memory pids", "memory", ["+pids"]),
        ("hugetlb", "", []),
        ("", "", []),
        ("cpu memory pids", "cpu memory pids", []),
    ],
)
def test_controllers_are_enabled_one_by_one(available: str, enabled: str, words: list[str]) -> None:
    assert rules.enabling(available, enabled) == words


def test_controllers_that_hold_are_known() -> None:
    assert rules.enabled_of("cpuset cpu memory\n") == ("memory", "cpu")
    assert rules.enabled_of("") == ()


# The groups of workers


def test_groups_that_a_dead_daemon_has_left_are_known() -> None:
    names = ["host", "worker-7-1", "worker-7-12", "worker-8-1", "worker-100-3", "workers", "worker-7", "worker-x-1"]
    assert rules.leftovers(names, {8, PID}, PID) == ["worker-100-3", "worker-7-1", "worker-7-12"]


DAEMONS = st.integers(1, 1000)


@given(own=DAEMONS, daemons=st.sets(DAEMONS), daemon=DAEMONS, number=st.integers(1))
def test_a_group_is_left_over_exactly_when_its_daemon_is_not_there(
    own: int, daemons: set[int], daemon: int, number: int
) -> None:
    name = rules.leaf_name(daemon, number)
    assert rules.leftovers([name], daemons | {own}, own) == ([name] if daemon not in daemons - {own} else [])


def test_every_limit_has_its_file() -> None:
    limits = ProcessLimits(files=100, memory=64 * MIB, processes=20, nice=5)
    assert [*rules.writes(limits, CONTROLLERS)] == [
        Write("memory", "memory.oom.group", "1", is_extra=True),
        Write("memory", "memory.swap.max", "0", is_extra=True),
        Write("memory", "memory.max", "67108864"),
        Write("pids", "pids.max", "20"),
        Write("cpu", "cpu.weight.nice", "5"),
    ]
    assert [*rules.writes(ProcessLimits(files=100), CONTROLLERS)] == []
    assert [*rules.writes(limits, ())] == []


LIMITS = st.builds(ProcessLimits, *[st.integers(0, 1 << 40)] * 3, st.integers(0, 19))


@given(limits=LIMITS, controllers=st.sets(st.sampled_from(CONTROLLERS)))
def test_each_limit_holds_in_the_group_or_in_the_process(limits: ProcessLimits, controllers: set[str]) -> None:
    written = {write.name: int(write.value) for write in rules.writes(limits, controllers)}
    left = rules.left_to_the_process(limits, {write.controller for write in rules.writes(limits, controllers)})
    assert written.get("memory.max", left.memory) == limits.memory
    assert written.get("pids.max", left.processes) == limits.processes
    assert (left.files, left.nice) == (limits.files, limits.nice)
    assert written.get("cpu.weight.nice", 0) == (limits.nice if "cpu" in controllers else 0)
    assert bool(left.memory) == (bool(limits.memory) and "memory" not in controllers)
    assert bool(left.processes) == (bool(limits.processes) and "pids" not in controllers)


@pytest.mark.parametrize(
    ("events", "killed"),
    [
        ("low 0\nhigh 0\nmax 12\noom 1\noom_kill 1\noom_group_kill 1\n", True),
        ("low 0\nhigh 0\nmax 12\noom 1\noom_kill 0\noom_group_kill 0\n", False),
        ("oom_kill 12", True),
        ("", False),
    ],
)
def test_a_death_for_want_of_memory_is_known(events: str, killed: bool) -> None:
    assert rules.killed_for_memory(events) is killed
