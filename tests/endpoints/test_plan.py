"""What a file changes: as little as possible, and nothing when it is applied again."""

from collections.abc import Sequence
from itertools import count
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from endpointd.endpoints.declared import Declared
from endpointd.endpoints.plan import Plan, plan
from endpointd.store.naming import new_hook_id, new_id
from endpointd.store.records import EndpointRecord

_times = count()

PLAIN = st.none() | st.booleans() | st.integers(0, 1) | st.sampled_from([0.0, 1.0, "", "a"])
VALUES = st.recursive(PLAIN, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner))
SETTINGS = st.dictionaries(st.sampled_from(["token", "greeting", "loud"]), VALUES, max_size=3)
DECLARED = st.lists(
    st.builds(
        Declared,
        st.sampled_from(["a/one", "a/two"]),
        st.sampled_from(["A", "B", "C", "D"]),
        st.none() | st.sampled_from(["a", "b", "c", "d"]),
        st.booleans(),
        SETTINGS,
    ),
    max_size=6,
    unique_by=(lambda one: (one.plugin, one.name), lambda one: one.hook_id or new_hook_id()),
)


def made(wanted: Declared, before: EndpointRecord | None = None, origin: str = "file") -> EndpointRecord:
    """As the registry makes it."""
    return EndpointRecord(
        before.id if before else new_id(),
        wanted.hook_id or (before.hook_id if before else new_hook_id()),
        wanted.plugin,
        wanted.name,
        {name: value for name, value in wanted.settings.items() if value is not None},
        frozenset(),
        wanted.enabled,
        origin,  # type: ignore[arg-type]
        next(_times),
        next(_times),
    )


def done(steps: Plan, current: Sequence[EndpointRecord], declared: Sequence[Declared]) -> list[EndpointRecord]:
    changed = {update.record.id: made(update.wanted, update.record) for update in steps.update}
    gone = {record.id for record in steps.delete}
    kept = [changed.get(record.id, record) for record in current if record.id not in gone]
    return [*kept, *(made(declared[index]) for index, _ in steps.create)]


def alike(record: EndpointRecord, wanted: Declared) -> bool:
    settings = {name: value for name, value in wanted.settings.items() if value is not None}
    return (record.plugin, record.name, record.enabled, record.settings) == (
        wanted.plugin,
        wanted.name,
        wanted.enabled,
        settings,
    ) and wanted.hook_id in (None, record.hook_id)


@given(DECLARED, DECLARED)
def test_a_plan_leads_to_what_is_declared_and_the_next_one_changes_nothing(
    old: list[Declared], new: list[Declared]
) -> None:
    mine = made(Declared("a/one", "A", "mine", settings={"token": "t"}), origin="operator")
    current = [mine, *(made(one) for one in old)]
    steps = plan(current, new)
    after = done(steps, current, new)
    assert mine in after
    owned = [record for record in after if record.origin == "file"]
    assert len(owned) == len(new) == len(steps.create) + len(steps.update) + len(steps.unchanged)
    assert all(sum(alike(record, wanted) for record in owned) == 1 for wanted in new)
    again = plan(after, new)
    assert (again.create, again.update, again.delete) == ((), (), ())
    # The order in which a file has its endpoints is no change.
    again = plan(after, new[::-1])
    assert (again.create, again.update, again.delete) == ((), (), ())


@given(DECLARED)
def test_the_same_file_leaves_the_same_endpoints(declared: list[Declared]) -> None:
    current = [made(one) for one in declared]
    assert plan(current, declared).unchanged == tuple(current)


def kinds(current: Sequence[EndpointRecord], *declared: Declared) -> Any:  # noqa: ANN401
    steps = plan(current, declared)
    return (
        [one.name for one in steps.delete],
        [(one.record.name, one.changes) for one in steps.update],
        [one.name for _, one in steps.create],
        [one.name for one in steps.unchanged],
    )


def test_an_endpoint_is_found_by_its_name_or_else_by_its_hook_id() -> None:
    current = [made(Declared("a/one", "A", "a", settings={"token": "t"})), made(Declared("a/one", "B", "b"))]
    settings = {"token": "t"}
    assert kinds(current, Declared("a/one", "A", settings=settings)) == (["B"], [], [], ["A"])
    renamed = Declared("a/one", "New", "a", settings=settings)
    assert kinds(current, renamed) == (["B"], [("A", ("name",))], [], [])
    assert kinds(current, Declared("a/one", "B", "a")) == (["A"], [("B", ("hook_id",))], [], [])
    # Of another plugin it is another one.
    assert kinds(current, Declared("a/two", "A", "a", settings=settings)) == (["A", "B"], [], ["A"], [])
    everything = Declared("a/one", "New", "a", False, {"token": "u", "more": 1})
    changes = ("name", "enabled", "settings.token", "settings.more")
    assert kinds(current, everything) == (["B"], [("A", changes)], [], [])


def test_one_and_true_are_different_and_the_order_of_keys_is_not() -> None:
    current = [made(Declared("a/one", "A", settings={"x": [1, {"a": 1, "b": 2}]}))]
    assert kinds(current, Declared("a/one", "A", settings={"x": [1, {"b": 2, "a": 1}]}))[3] == ["A"]
    assert kinds(current, Declared("a/one", "A", settings={"x": [True, {"a": 1, "b": 2}]}))[3] == []


def test_what_is_shown_names_what_changes_and_no_value() -> None:
    current = [made(Declared("a/one", "A", "a", settings={"token": "hunter2-old"}))]
    declared = [Declared("a/one", "A", "a", settings={"token": "hunter2-new"}), Declared("a/one", "B", "b")]
    steps = plan(current, declared)
    assert "hunter2" not in f"{steps}{steps.shown(dry_run=True).as_dict()}"
    shown = steps.shown(dry_run=True)
    assert (shown.update[0].id, shown.update[0].changes) == (current[0].id, ("settings.token",))
    assert (shown.create[0].id, shown.create[0].hook_id) == (None, "b")
    new = made(declared[1])
    shown = steps.shown(dry_run=False, made={1: new})
    assert shown.create[0].id == new.id
