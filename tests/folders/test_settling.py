"""When a changed folder is looked at: in numbers for a clock."""

from hypothesis import given
from hypothesis import strategies as st

from endpointd.folders.settling import MAX_PATIENCE, MAX_UNREST, PATIENCE, QUIET, Settling


def run_until(settling: Settling, end: float) -> list[tuple[float, str]]:
    """Ask whenever there is something to tell, until `end`: (when, folder)."""
    told = []
    while (when := settling.next_due()) is not None and when <= end:
        told += [(when, name) for name in settling.due(when)]
    return told


def test_a_folder_is_due_when_it_rests() -> None:
    settling = Settling()
    settling.changed("a", 1.0)
    settling.changed("a", 1.2)

    assert settling.next_due() == 1.2 + QUIET
    assert settling.due(1.2 + QUIET - 0.01) == []
    assert settling.due(1.2 + QUIET) == ["a"]
    assert settling.due(100.0) == []
    assert settling.next_due() is None


def test_folders_do_not_wait_for_each_other() -> None:
    settling = Settling()
    settling.changed("b", 0.0)
    settling.changed("a", 0.0)
    settling.changed("c", 0.2)

    assert settling.due(QUIET) == ["a", "b"]
    assert settling.due(0.2 + QUIET) == ["c"]


def test_what_is_half_copied_is_due_again_after_the_next_change() -> None:
    settling = Settling()
    settling.changed("a", 0.0)
    assert settling.due(QUIET) == ["a"]
    assert settling.incomplete("a", QUIET)
    settling.changed("a", 1.0)

    assert run_until(settling, 100) == [(1.0 + QUIET, "a")]


def test_what_is_broken_is_reported_after_patience() -> None:
    settling = Settling()
    settling.changed("a", 0.0)
    assert settling.due(QUIET) == ["a"]
    assert settling.incomplete("a", QUIET)

    assert run_until(settling, 100) == [(PATIENCE, "a")]
    assert not settling.incomplete("a", PATIENCE)
    assert settling.next_due() is None


def test_a_change_starts_patience_over() -> None:
    settling = Settling()
    settling.changed("a", 0.0)
    assert settling.due(QUIET)
    assert settling.incomplete("a", QUIET)
    settling.changed("a", 1.9)
    assert settling.due(1.9 + QUIET)
    assert settling.incomplete("a", 1.9 + QUIET)

    assert run_until(settling, 100) == [(1.9 + PATIENCE, "a")]
    assert not settling.incomplete("a", 1.9 + PATIENCE)


def test_a_change_while_the_folder_is_read_makes_what_was_found_void() -> None:
    settling = Settling()
    settling.changed("a", 0.0)
    assert settling.due(QUIET)
    settling.changed("a", 0.4)

    assert settling.incomplete("a", 5.0)
    assert run_until(settling, 100) == [(0.4 + QUIET, "a")]


def test_a_folder_that_nobody_waited_for_is_reported_as_it_is() -> None:
    assert not Settling().incomplete("a", 0.0)


def changing(settling: Settling, end: float, *, broken: bool) -> tuple[list[float], list[float]]:
    """Change a folder every 100 ms until `end`: when it was looked at, and when what was wrong was reported."""
    looked_at, reported = [], []
    for tick in range(int(end * 10)):
        now = tick / 10
        settling.changed("a", now)
        if settling.due(now):
            looked_at.append(now)
            if broken and not settling.incomplete("a", now):
                reported.append(now)
    return looked_at, reported


def test_a_folder_that_never_rests_is_looked_at_now_and_then() -> None:
    looked_at, _ = changing(Settling(), 35, broken=False)

    assert len(looked_at) == 3
    assert looked_at[0] == MAX_UNREST


def test_a_long_copy_is_not_reported_while_it_lasts() -> None:
    settling = Settling()
    looked_at, reported = changing(settling, MAX_PATIENCE - 1, broken=True)

    assert len(looked_at) == 5
    assert reported == []


def test_what_neither_rests_nor_is_right_is_reported_at_last() -> None:
    _, reported = changing(Settling(), MAX_PATIENCE + 2 * MAX_UNREST, broken=True)

    assert reported
    assert MAX_PATIENCE <= reported[0] <= MAX_PATIENCE + MAX_UNREST + 1


def test_what_changes_whenever_it_is_read_is_reported_at_last() -> None:
    settling, now = Settling(), 0.0
    settling.changed("a", now)
    while now < 2 * MAX_PATIENCE:
        now += QUIET
        assert settling.due(now) == ["a"]
        settling.changed("a", now)
        if not settling.incomplete("a", now):
            break

    assert MAX_PATIENCE <= now <= MAX_PATIENCE + 1


PAUSES = st.lists(st.floats(0, 3, allow_nan=False), max_size=60)


@given(pauses=PAUSES, faulty=st.booleans())
def test_a_folder_is_due_once_and_soon_after_its_last_change(pauses: list[float], faulty: bool) -> None:
    settling, now = Settling(), 0.0
    settling.changed("a", now)
    for pause in pauses:
        run_until(settling, now + pause)
        now += pause
        settling.changed("a", now)
    after = run_until(settling, now + 1000)

    assert len(after) == 1
    assert now <= after[0][0] <= now + QUIET
    if faulty and settling.incomplete("a", after[0][0]):
        ((when, _),) = run_until(settling, now + 1000)
        assert when == now + PATIENCE
        assert not settling.incomplete("a", when)


@given(pauses=PAUSES)
def test_no_change_waits_longer_than_the_longest_unrest(pauses: list[float]) -> None:
    settling, now, unseen = Settling(), 0.0, None
    for pause in pauses:
        for when, _ in run_until(settling, now + pause):
            assert unseen is not None
            assert when - unseen <= MAX_UNREST
            unseen = None
        now += pause
        settling.changed("a", now)
        unseen = now if unseen is None else unseen


def test_a_folder_that_has_rested_is_due_at_once() -> None:
    settling = Settling()
    settling.changed("a", 1.0)
    settling.rested("a", 1.0)
    settling.rested("unknown", 1.0)

    assert settling.due(1.0) == ["a"]
    # What changes afterwards is waited for as ever, and what is not right is given as much time.
    assert settling.incomplete("a", 1.0)
    assert settling.next_due() == 1.0 - QUIET + PATIENCE
    settling.changed("a", 1.5)
    assert settling.due(1.5 + QUIET - 0.01) == []
    assert settling.due(1.5 + QUIET) == ["a"]
