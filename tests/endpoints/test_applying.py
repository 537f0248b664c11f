"""What a file declares, in a real registry with a real store: owned, compared, applied whole or not at all."""

import asyncio

import pytest

from endpointd.endpoints.declared import Declared
from endpointd.endpoints.errors import EndpointDeclared
from endpoints.conftest import declared, given, refused
from support.teller import MODEL, SECRET, TELLER, Office


def test_a_file_owns_what_it_declares_and_nothing_else(office: Office) -> None:
    async def story() -> None:
        mine = await office.create("Mine", hook_id="mine")
        made = await office.registry.apply([declared("A", "a"), declared("B")])
        assert [(one.id is not None, one.name) for one in made.create] == [(True, "A"), (True, "B")]
        by_name = {record.name: record for record in office.kept}
        assert [(one.id, one.hook_id) for one in made.create] == [
            (by_name[name].id, by_name[name].hook_id) for name in ("A", "B")
        ]
        assert office.registry.get(by_name["A"].id).origin == "file"
        for attempt in (
            office.registry.update(by_name["A"].id, {}, name="Other"),
            office.registry.update(by_name["A"].id, {}, enabled=True),
            office.registry.update(by_name["A"].id, {}, enabled=False),
            office.registry.delete(by_name["A"].id),
        ):
            with pytest.raises(EndpointDeclared, match="apply it again"):
                await attempt
        changed = await office.registry.apply(
            [declared("B", settings={"token": SECRET, "loud": True}), declared("Renamed", "a")]
        )
        assert [(one.name, one.changes) for one in changed.update] == [("B", ("settings.loud",)), ("A", ("name",))]
        assert {record.id for record in office.kept} == {mine, by_name["A"].id, by_name["B"].id}
        assert given(office, by_name["B"].hook_id)["loud"] is True
        gone = await office.registry.apply([])
        assert [one.name for one in gone.delete] == ["Renamed", "B"]
        assert [record.id for record in office.kept] == [mine]

    asyncio.run(story())


def test_applying_a_file_twice_changes_nothing(office: Office) -> None:
    wanted = [
        declared("A", "a", {"token": SECRET, "tools": [{"b": 1, "a": 1.0}], "loud": None}),
        declared("B", None, {"token": "other", "model": MODEL}),
    ]

    async def story() -> None:
        await office.registry.apply(wanted)
        before, changes = office.kept, office.store.changes
        office.shelf.remounted.clear()
        again = await office.registry.apply(wanted)
        assert (again.create, again.update, again.delete, len(again.unchanged)) == ((), (), (), 2)
        assert (office.kept, office.store.changes, office.shelf.remounted) == (before, changes, [])
        # Not even while the plugin is away.
        del office.shelf.plugins[TELLER]
        assert len((await office.registry.apply(wanted)).unchanged) == 2

    asyncio.run(story())


def test_a_dry_run_tells_and_does_nothing(office: Office) -> None:
    async def story() -> None:
        await office.registry.apply([declared("A"), declared("B")])
        before = office.kept
        told = await office.registry.apply(
            [declared("A", settings={"token": "another"}), declared("C", "c")], dry_run=True
        )
        assert told.dry_run
        assert [(one.id, one.hook_id, one.name) for one in told.create] == [(None, "c", "C")]
        assert [(one.name, one.changes) for one in told.update] == [("A", ("settings.token",))]
        assert [one.name for one in told.delete] == ["B"]
        assert office.kept == before
        with refused("endpoints[0].settings.token"):
            await office.registry.apply([declared("A", settings={})], dry_run=True)

    asyncio.run(story())


def test_a_fault_in_a_file_changes_nothing(office: Office) -> None:
    async def story() -> None:
        await office.create("Mine", hook_id="mine")
        await office.registry.apply([declared("A", "a"), declared("B", "b")])
        before = office.kept
        wanted = [
            declared("A", "a", {"token": "changed"}),
            declared("New", "mine"),
            Declared("test/telle", "X"),
            declared("", "NO", {"tokn": SECRET, "second": "********"}),
            declared("A", "c"),
            declared("Other", "a"),
        ]
        with refused(
            "endpoints[4].name",
            "endpoints[1].hook_id",
            "endpoints[2].plugin",
            "endpoints[3].name",
            "endpoints[3].hook_id",
            "endpoints[3].settings.second",
            "endpoints[3].settings.token",
            "endpoints[3].settings.tokn",
            "endpoints[5].hook_id",
        ):
            await office.registry.apply(wanted)
        assert office.kept == before

    asyncio.run(story())


def test_a_mask_in_a_file_is_no_secret(office: Office) -> None:
    async def story() -> None:
        await office.registry.apply([declared("A")])
        with refused("endpoints[0].settings.token"):
            await office.registry.apply([declared("A", settings={"token": "********"})])
        assert office.kept[0].settings["token"] == SECRET

    asyncio.run(story())


def test_endpoints_of_a_file_can_exchange_their_hook_ids(office: Office) -> None:
    async def story() -> None:
        await office.registry.apply([declared("A", "a"), declared("B", "b"), declared("C", "c")])
        ids = {record.name: record.id for record in office.kept}
        await office.registry.apply([declared("A", "b"), declared("B", "a"), declared("C", "d"), declared("D", "c")])
        assert {record.name: record.hook_id for record in office.kept} == {"A": "b", "B": "a", "C": "d", "D": "c"}
        assert {record.name: record.id for record in office.kept if record.name != "D"} == ids
        assert {hook: office.book.at(hook) is not None for hook in "abcd"} == dict.fromkeys("abcd", True)
        # One that is deleted leaves its hook id to another one.
        await office.registry.apply([declared("E", "a")])
        assert [record.hook_id for record in office.kept] == ["a"]

    asyncio.run(story())


def test_the_hook_id_of_a_plugin_that_answers_by_itself_is_not_to_be_declared(office: Office) -> None:
    office.shelf.names["duck"] = "test/duck"

    async def story() -> None:
        with refused("endpoints[0].hook_id"):
            await office.registry.apply([declared("A", "duck")])

    asyncio.run(story())


def test_a_large_file_is_applied_in_one_step(office: Office) -> None:
    wanted = [declared(f"Number {number}", f"hook-{number}") for number in range(1000)]

    async def story() -> None:
        await office.registry.apply(wanted)
        assert office.store.changes == 1
        assert office.shelf.remounted == [TELLER]
        # All move on by one.
        moved = [declared(f"Number {number}", f"hook-{number + 1}") for number in range(1000)]
        assert len((await office.registry.apply(moved)).update) == 1000
        assert office.store.changes == 2
        assert len(office.kept) == 1000

    asyncio.run(story())
