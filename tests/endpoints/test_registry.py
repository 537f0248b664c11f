"""The registry with a real store: endpoints are made, changed, declared and removed, and outlive their plugins."""

import asyncio
import re
from pathlib import Path

import pytest

from endpointd.endpoints.errors import EndpointInvalid, EndpointMissing
from endpointd.errors import OperatorError, PluginUnknown
from endpointd.manifest.values import Fault
from endpoints.conftest import answered, given, refused
from support import teller
from support.teller import BASE, MODEL, SECRET, SETTINGS, TELLER, TOKEN, Office

# Making


async def making(office: Office) -> None:
    view = await office.registry.create(TELLER, "One", {"token": SECRET})
    assert re.fullmatch("[a-z0-9]{16}", view.hook_id)
    assert (view.plugin, view.name, view.enabled, view.origin) == (TELLER, "One", True, "operator")
    assert view.created_at == view.updated_at == office.book.get(view.id).created_at
    assert (view.settings["token"], view.settings["greeting"]) == ("********", None)
    assert list(view.settings) == list(SETTINGS)
    assert [one.url for one in view.urls] == [f"{BASE}/e/{view.hook_id}/", f"{BASE}/e/{view.hook_id}/to/<who>"]
    assert view.faults == ()
    assert office.registry.get(view.id) == view
    assert given(office, view.hook_id) == {
        "token": SECRET,
        "greeting": "Hello",
        "region": "us",
        "second": "a-secret-default",
    }
    assert office.kept[0].secrets == {"token"}
    assert office.shelf.remounted == [TELLER]


def test_an_endpoint_has_a_hook_id_and_its_settings_with_the_defaults(office: Office) -> None:
    asyncio.run(making(office))


def test_a_plugin_has_as_many_endpoints_as_are_made_the_oldest_first(office: Office) -> None:
    async def story() -> None:
        made = [await office.create(f"Number {number}") for number in range(20)]
        other = teller.write(Path(office.store.real._database.file or "").parent / "other", "other", TOKEN)
        office.shelf.put(other)
        made.append(await office.create("Another plugin's", other.id))
        assert [view.id for view in office.registry.list()] == made
        assert [view.id for view in office.registry.list(other.id)] == made[-1:]
        assert len({view.hook_id for view in office.registry.list()}) == 21
        assert len(office.kept) == 21

    asyncio.run(story())


def test_every_type_of_setting_is_given_to_the_plugin_as_it_was_set(office: Office) -> None:
    settings = {
        "token": "",
        "greeting": "\0 and \N{DUCK}",
        "region": "eu",
        "loud": False,
        "app": {"app_id": "an-app", "inputs": {}},
        "model": MODEL,
        "order": {**MODEL, "score_threshold": 0.5, "top_n": 3},
        "tools": [{"any": [1, 1.5, None, True]}],
        "second": "of my own",
    }

    async def story() -> None:
        await office.create(hook_id="here", settings=settings)
        assert given(office, "here") == settings
        assert office.kept[0].settings == settings

    asyncio.run(story())


def test_all_faults_of_a_new_endpoint_are_told_at_once_and_nothing_is_made(office: Office) -> None:
    settings = {"tokn": SECRET, "greeting": 5, "region": SECRET, "loud": "yes", "app": SECRET, "model": {}, "zzz": None}

    async def story() -> None:
        keys = ("greeting", "region", "loud", "app", "model", "model", "model", "tokn", "zzz")
        with refused("name", "hook_id", "settings.token", *(f"settings.{key}" for key in keys)) as faults:
            await office.create("  ", hook_id="Not One", settings=settings)
        assert [fault.remedy for fault in faults if fault.key == "settings.tokn"] == ["did you mean 'token'?"]
        with refused("settings.second", "settings.token"):
            await office.create(settings={"token": "********", "second": "********"})
        with pytest.raises(PluginUnknown, match="did you mean test/teller"):
            await office.create(plugin_id="test/telle")
        assert office.kept == []
        assert office.store.changes == 0

    asyncio.run(story())


def test_a_hook_id_is_one_endpoints_only(office: Office) -> None:
    office.shelf.names["duck"] = "test/duck"

    async def story() -> None:
        await office.create("One", hook_id="a-hook_1")
        two = await office.create("Two")
        for hook_id in ("a-hook_1", "duck"):
            with refused("hook_id") as faults:
                await office.create(hook_id=hook_id)
            assert faults[0].code == "hook_id_taken"
            with refused("hook_id"):
                await office.change(two, hook_id=hook_id)
        await office.change(two, hook_id="free")
        await office.change(two, hook_id="free", name="Two")
        await office.change(two, hook_id="b")
        await office.create("Three", hook_id="free")
        assert [record.hook_id for record in office.kept] == ["a-hook_1", "b", "free"]

    asyncio.run(story())


# Changing


def test_a_change_leaves_what_it_does_not_touch(office: Office) -> None:
    async def story() -> None:
        one = await office.create(hook_id="here", settings={"token": SECRET, "greeting": "Hi", "loud": True})
        before = office.kept[0]
        await office.change(one, settings={"region": "eu", "loud": None})
        assert given(office, "here")["token"] == SECRET
        assert office.kept[0].settings == {"token": SECRET, "greeting": "Hi", "region": "eu"}
        await office.change(one, name="Renamed")
        after = office.kept[0]
        assert (after.name, after.hook_id, after.created_at) == ("Renamed", "here", before.created_at)
        assert after.updated_at > before.updated_at

    asyncio.run(story())


def test_a_secret_that_comes_back_as_its_mask_is_kept(office: Office) -> None:
    async def story() -> None:
        one = await office.create(hook_id="here")
        shown = office.registry.get(one).settings
        await office.change(one, settings=shown | {"greeting": "Hi"})
        assert (given(office, "here")["token"], given(office, "here")["greeting"]) == (SECRET, "Hi")
        with refused("settings.second"):
            # There is none yet that the mask could stand for.
            await office.change(one, settings={"second": "********"})
        with refused("settings.token"):
            await office.change(one, settings={"token": None})
        await office.change(one, settings={"token": "another", "greeting": "********"})
        assert (given(office, "here")["token"], given(office, "here")["greeting"]) == ("another", "********")

    asyncio.run(story())


def test_a_change_that_changes_nothing_is_not_stored(office: Office) -> None:
    async def story() -> None:
        one = await office.create(hook_id="here", settings={"token": SECRET, "tools": [1, {"a": 1, "b": 2}]})
        before, changes = office.kept[0], office.store.changes
        await office.change(one, name="One", hook_id="here", enabled=True, settings={"token": "********", "loud": None})
        await office.change(one, settings={"tools": [1, {"b": 2, "a": 1}]})
        assert (office.kept, office.store.changes) == ([before], changes)
        # To Python this is no change.
        await office.change(one, settings={"tools": [True, {"a": 1, "b": 2}]})
        assert office.kept[0].settings["tools"][0] is True

    asyncio.run(story())


def test_all_faults_of_a_change_are_told_at_once_and_nothing_is_changed(office: Office) -> None:
    async def story() -> None:
        one = await office.create(hook_id="here")
        before = office.kept[0]
        with refused("name", "hook_id", "settings.token", "settings.loud", "settings.zz", "settings.yy", "settings.xx"):
            wrong = {"zz": SECRET, "loud": 1, "yy": SECRET, "token": None, "xx": None}
            await office.change(one, name="a\nb", hook_id="", settings=wrong)
        assert office.kept == [before]
        for name in ("0" * 32, "One", "here", "\0", "x" * 100_000):
            with pytest.raises(EndpointMissing):
                await office.change(name, name="Two")
            with pytest.raises(EndpointMissing):
                await office.registry.delete(name)
            with pytest.raises(EndpointMissing):
                office.registry.get(name)

    asyncio.run(story())


def test_one_that_is_switched_off_or_deleted_answers_404(office: Office) -> None:
    async def story() -> None:
        one, two = await office.create(hook_id="one"), await office.create("Two", hook_id="two")
        assert (answered(office, "one"), answered(office, "never")) == (None, None)
        assert not (await office.registry.update(one, {}, enabled=False)).enabled
        assert (given(office, "one"), answered(office, "one")) == (None, (404, "endpoint_disabled"))
        assert (await office.registry.update(one, {}, enabled=True)).enabled
        assert (given(office, "one")["token"], answered(office, "one")) == (SECRET, None)
        await office.registry.delete(one)
        assert (given(office, "one"), answered(office, "one")) == (None, None)
        assert [record.id for record in office.kept] == [two]
        assert office.shelf.remounted == [TELLER] * 5

    asyncio.run(story())


# Plugins that come, change and go


def test_an_endpoint_says_what_a_new_version_misses_and_others_go_on(office: Office, tmp_path: Path) -> None:
    new = {"zone": {"type": "text-input", "required": True}}

    async def story() -> None:
        one = await office.create("One", hook_id="one", settings={"token": SECRET, "region": "eu"})
        await office.create("Two", hook_id="two")
        old = office.shelf.plugins[TELLER]
        region = {"region": {"type": "select", "options": [{"value": "north"}]}}
        office.shelf.put(teller.write(tmp_path, settings={**SETTINGS, **region}))
        assert answered(office, "one") == (503, "endpoint_incomplete")
        assert [(fault.key, fault.code) for fault in office.registry.get(one).faults] == [
            ("settings.region", "value_not_an_option")
        ]
        assert given(office, "two")["token"] == SECRET
        office.shelf.put(teller.write(tmp_path, settings={**TOKEN, **new}))
        assert (answered(office, "one"), answered(office, "two")) == ((503, "endpoint_incomplete"),) * 2
        problem = office.book.refusal("one", office.shelf.plugin(TELLER))
        assert problem is not None
        assert "zone" in problem.detail
        assert "eu" not in problem.document("").decode().replace("endpointd", "")
        # It can be renamed, switched off and on only when it is whole, mended, and deleted.
        await office.change(one, name="Renamed", enabled=False)
        with refused("settings.zone"):
            await office.registry.update(one, {}, enabled=True)
        await office.change(one, settings={"zone": "z"}, enabled=True)
        # The value of a setting that is gone is kept for a version that has it again, and is not given to this one.
        assert given(office, "one") == {"token": SECRET, "zone": "z"}
        office.shelf.put(old)
        assert given(office, "one")["region"] == "eu"
        assert "zone" not in given(office, "one")

    asyncio.run(story())


def test_a_value_that_no_version_wants_any_more_can_be_removed(office: Office, tmp_path: Path) -> None:
    async def story() -> None:
        one = await office.create(settings={"token": SECRET, "region": "eu"})
        office.shelf.put(teller.write(tmp_path, settings=TOKEN))
        assert office.registry.get(one).settings == {"token": "********", "region": "eu"}
        await office.change(one, settings={"region": "eu"})
        with refused("settings.region"):
            await office.change(one, settings={"region": "us"})
        await office.change(one, settings={"region": None})
        assert office.kept[0].settings == {"token": SECRET}

    asyncio.run(story())


def test_an_endpoint_outlives_the_removal_of_its_plugin(office: Office) -> None:
    async def story() -> None:
        one = await office.create(hook_id="one")
        plugin = office.shelf.plugins.pop(TELLER)
        view = office.registry.get(one)
        assert (view.settings, view.urls) == ({"token": "********"}, ())
        assert [fault.code for fault in view.faults] == ["plugin_unknown"]
        assert answered(office, "one") == (404, "plugin_unknown")
        await office.change(one, name="Renamed", hook_id="moved")
        await office.registry.update(one, {}, enabled=False)
        with pytest.raises(PluginUnknown):
            await office.registry.update(one, {}, enabled=True)
        with pytest.raises(PluginUnknown):
            await office.change(one, settings={"token": "another"})
        with pytest.raises(PluginUnknown):
            office.registry.settings(TELLER)
        office.shelf.put(plugin)
        await office.registry.update(one, {}, enabled=True)
        assert given(office, "moved")["token"] == SECRET

    asyncio.run(story())


def test_a_secret_stays_one_when_a_version_calls_it_a_text(office: Office, tmp_path: Path) -> None:
    async def story() -> None:
        one = await office.create(hook_id="here", settings={"token": SECRET, "greeting": "Hi"})
        office.shelf.put(
            teller.write(tmp_path, settings={"token": {"type": "text-input"}, "greeting": {"type": "secret-input"}})
        )
        assert office.registry.get(one).settings == {"token": "********", "greeting": "********"}
        await office.change(one, settings={"token": "********", "greeting": "********"})
        assert office.kept[0].settings == {"token": SECRET, "greeting": "Hi"}
        assert office.kept[0].secrets == {"token", "greeting"}
        await office.change(one, settings={"token": "known"})
        assert office.registry.get(one).settings == {"token": "known", "greeting": "********"}

    asyncio.run(story())


def test_what_is_stored_is_there_after_a_new_start(office: Office, tmp_path: Path) -> None:
    async def story() -> None:
        await office.create(hook_id="here")
        before = office.registry.list()
        office.book.replace_all([])
        office.shelf.remounted.clear()
        await office.registry.load()
        assert office.registry.list() == before
        assert office.shelf.remounted == [TELLER]

    asyncio.run(story())
    database = b"".join(file.read_bytes() for file in tmp_path.glob("endpointd.db*"))
    assert SECRET.encode() not in database


def test_errors_are_for_operators() -> None:
    assert issubclass(EndpointInvalid, OperatorError)
    error = EndpointInvalid([Fault("settings.a\nb", "c", "wrong\x1b[31m", "mend it")] * 5000)
    for text in (error.message, error.remedy, str(error).replace("\n", "")):
        assert text.isprintable()
    assert len(error.faults) == 1000
