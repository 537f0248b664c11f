"""Whatever fails, and whoever is gone: what is stored and what is served never differ. Changes are one at a time."""

import asyncio
import threading
from collections.abc import Awaitable, Callable

import pytest

from endpointd.endpoints.declared import Declared
from endpointd.endpoints.errors import EndpointInvalid
from endpointd.errors import OperatorError
from endpointd.store.naming import new_id
from support.teller import SECRET, TELLER, Office

Change = Callable[[Office, str], Awaitable[object]]


def declared(*names: str) -> list[Declared]:
    return [Declared(TELLER, name, name.lower(), settings={"token": SECRET}) for name in names]


CHANGES: dict[str, Change] = {
    "create": lambda office, _: office.registry.create(TELLER, "New", {"token": SECRET}, hook_id="new"),
    "update": lambda office, one: office.registry.update(one, {"greeting": "Hi"}, hook_id="moved"),
    "disable": lambda office, one: office.registry.update(one, {}, enabled=False),
    "delete": lambda office, one: office.registry.delete(one),
    "apply": lambda office, _: office.registry.apply(declared("B", "C")),
}


async def begin(office: Office) -> str:
    """An endpoint of an operator's, and two of a file's."""
    one = await office.create(hook_id="one")
    await office.registry.apply(declared("A", "B"))
    office.shelf.remounted.clear()
    return one


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_store_that_fails_before_it_has_written_leaves_all_as_it_was(office: Office, change: Change) -> None:
    async def story() -> None:
        one = await begin(office)
        before = office.kept
        office.store.fails = "before"
        with pytest.raises(OperatorError, match="database is away"):
            await change(office, one)
        assert office.kept == before
        assert office.shelf.remounted == []
        office.store.fails = None
        await change(office, one)
        assert office.kept != before

    asyncio.run(story())


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_that_was_written_all_the_same_is_no_failure(office: Office, change: Change) -> None:
    async def story() -> None:
        one = await begin(office)
        before = office.kept
        office.store.fails = "after"
        await change(office, one)
        assert office.kept != before
        assert set(office.shelf.remounted) == {TELLER}

    asyncio.run(story())


@pytest.mark.parametrize("fails", ["before", "after"])
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_store_that_cannot_tell_either_is_asked_before_the_next_change(
    office: Office, change: Change, fails: str
) -> None:
    async def story() -> None:
        one = await begin(office)
        before = office.book.all()
        office.store.fails, office.store.is_blind = fails, True  # type: ignore[assignment]
        with pytest.raises(OperatorError, match="database is away"):
            await change(office, one)
        assert office.book.all() == before
        # As long as it cannot, nothing is changed.
        office.store.fails = None
        with pytest.raises(OperatorError, match="database is away"):
            await office.create("Next")
        assert office.book.all() == before
        office.store.is_blind = False
        office.shelf.remounted.clear()
        await office.create("Next")
        assert (len(office.kept) > len(before) + 1 or office.kept[: len(before)] != before) == (fails == "after")
        assert len(office.shelf.remounted) == (2 if fails == "after" else 1)

    asyncio.run(story())


def test_a_defect_of_the_store_is_no_different(office: Office) -> None:
    async def story() -> None:
        one = await begin(office)
        before = office.kept
        office.store.fails, office.store.error = "before", ZeroDivisionError("a defect")
        with pytest.raises(ZeroDivisionError):
            await office.registry.update(one, {}, enabled=False)
        assert office.kept == before
        office.store.fails = None
        await office.registry.update(one, {}, enabled=False)

    asyncio.run(story())


def test_what_somebody_else_has_changed_in_the_store_is_found_when_it_refuses(office: Office) -> None:
    async def story() -> None:
        one = await begin(office)
        office.store.real.remove(one)
        with pytest.raises(OperatorError, match="no endpoint"):
            await office.registry.update(one, {}, enabled=False)
        assert [record.id for record in office.kept].count(one) == 0
        other = office.kept[0]
        office.store.real.remove(other.id)
        # What is gone already is removed.
        await office.registry.apply([])
        assert office.kept == []

    asyncio.run(story())


# Who is gone


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_goes_on_to_its_end_when_whoever_asked_is_gone(office: Office, change: Change) -> None:
    async def story() -> None:
        one = await begin(office)
        before = office.kept
        office.store.entered.clear()
        office.store.gate = threading.Event()
        asked = asyncio.ensure_future(change(office, one))
        await asyncio.to_thread(office.store.entered.wait, 20)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        assert office.book.all() == before
        office.store.gate.set()
        await office.registry.stop()
        assert office.kept != before
        assert TELLER in office.shelf.remounted

    asyncio.run(story())


def test_a_failure_of_which_nobody_can_be_told_is_no_noise(office: Office) -> None:
    noise: list[object] = []

    async def story() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: noise.append(context))
        one = await begin(office)
        office.store.entered.clear()
        office.store.gate, office.store.fails = threading.Event(), "before"
        asked = asyncio.ensure_future(office.registry.update(one, {}, enabled=False))
        await asyncio.to_thread(office.store.entered.wait, 20)
        asked.cancel()
        office.store.gate.set()
        await office.registry.stop()
        await asyncio.gather(asked, return_exceptions=True)
        assert len(office.kept) == 3

    asyncio.run(story())
    assert noise == []


def test_one_who_leaves_while_others_wait_does_not_take_their_turn(office: Office) -> None:
    async def story() -> None:
        one = await begin(office)
        office.store.entered.clear()
        office.store.gate = threading.Event()
        asked = [asyncio.ensure_future(office.change(one, name=name)) for name in ("First", "Second", "Third")]
        await asyncio.to_thread(office.store.entered.wait, 20)
        asked[1].cancel()
        office.store.gate.set()
        await asked[0]
        await asked[2]
        assert office.registry.get(one).name == "Third"
        # A change that was begun is made, also if it had not had its turn.
        assert office.store.changes == 2 + 3

    asyncio.run(story())


# At the same time


def test_changes_are_made_one_at_a_time_in_the_order_in_which_they_were_asked_for(office: Office) -> None:
    async def story() -> None:
        one = await begin(office)
        await asyncio.gather(*(office.change(one, settings={"greeting": str(number)}) for number in range(50)))
        assert office.kept[0].settings["greeting"] == "49"
        assert office.store.most_at_once == 1

    asyncio.run(story())


def test_of_many_who_want_one_hook_id_one_has_it(office: Office) -> None:
    async def story() -> None:
        asked = [office.create(f"Number {number}", hook_id="wanted") for number in range(20)]
        done = await asyncio.gather(*asked, return_exceptions=True)
        assert sum(isinstance(one, str) for one in done) == 1
        refusals = {fault.code for one in done if isinstance(one, EndpointInvalid) for fault in one.faults}
        assert refusals == {"hook_id_taken"}
        assert len(office.kept) == 1

    asyncio.run(story())


def test_changes_of_one_endpoint_that_meet_do_not_undo_each_other(office: Office) -> None:
    async def story() -> None:
        one = await office.create(hook_id="one")
        await asyncio.gather(
            office.change(one, settings={"greeting": "Hi"}),
            office.change(one, settings={"region": "eu"}),
            office.change(one, name="Renamed"),
            office.registry.update(one, {}, enabled=False),
            office.create("Two", hook_id="two"),
            office.registry.apply(declared("A")),
        )
        first = office.kept[0]
        assert first.settings == {"token": SECRET, "greeting": "Hi", "region": "eu"}
        assert (first.name, first.enabled, len(office.kept)) == ("Renamed", False, 3)

    asyncio.run(story())


def test_of_two_who_delete_an_endpoint_one_is_told_that_it_is_gone(office: Office) -> None:
    async def story() -> None:
        one = await office.create()
        done = await asyncio.gather(*(office.registry.delete(one) for _ in range(2)), return_exceptions=True)
        assert [getattr(each, "code", None) for each in done] == [None, "endpoint_unknown"]

    asyncio.run(story())


def test_a_hook_id_that_somebody_else_has_stored_meanwhile_is_refused(office: Office) -> None:
    async def story() -> None:
        one = await office.create(hook_id="one")
        other = office.kept[0]
        foreign = type(other)(
            new_id(), "theirs", TELLER, "Foreign", {"token": SECRET}, frozenset({"token"}), True, "operator", 1.0, 1.0
        )
        office.store.real.add(foreign)
        with pytest.raises(OperatorError, match="hook id 'theirs'"):
            await office.change(one, hook_id="theirs")
        assert len(office.kept) == 2

    asyncio.run(story())
