"""Which of the folders with one plugin is served."""

import pytest

from endpointd.manifest.findings import Finding, Severity
from endpointd.manifest.model import Plugin
from endpointd.plugins.catalog import Entry, Plan, Standing, plan, settle

NOTE = Finding(Severity.WARNING, "note", "a note", "manifest.yaml", 1, None, "")


def entry(folder: str, name: str | None, author: str = "someone", digest: str = "1") -> Entry:
    plugin = None if name is None else Plugin(name=name, version="0.1.0", groups=(), author=author)
    return Entry(folder, plugin, (NOTE,), None, digest)


def test_folders_come_in_the_order_of_their_names() -> None:
    settled = settle((entry(folder, folder) for folder in ("c", "a", "b")), {})
    assert [item.folder for item in settled] == ["a", "b", "c"]
    assert all(item.plugin is not None for item in settled)


def test_of_several_folders_with_one_plugin_the_first_is_served() -> None:
    first, second, third = settle([entry("duck-2", "duck"), entry("duck-3", "duck"), entry("duck", "duck")], {})
    assert first == entry("duck", "duck")
    for refused in (second, third):
        assert refused.plugin is None
        note, finding = refused.findings
        assert note == NOTE
        assert (finding.severity, finding.code) == (Severity.ERROR, "plugin_duplicate")
        assert f"the folders 'duck' and {refused.folder!r} both hold the plugin someone/duck" in finding.message
        assert "'duck' is served" in finding.remedy


def test_the_same_name_by_another_author_is_another_plugin() -> None:
    settled = settle([entry("a", "duck", "one"), entry("b", "duck", "two")], {})
    assert all(item.plugin is not None for item in settled)


def test_a_folder_without_a_plugin_is_nobodys_rival() -> None:
    settled = settle([entry("a", None), entry("b", "duck"), entry("c", None)], {})
    assert [item.plugin is None for item in settled] == [True, False, True]
    assert all(item.findings == (NOTE,) for item in settled)


def test_who_is_served_already_is_not_pushed_out_by_a_name_that_comes_first() -> None:
    newcomer, owner = settle([entry("aaa", "duck"), entry("zzz", "duck")], {"someone/duck": "zzz"})
    assert newcomer.plugin is None
    assert "'zzz' is served" in newcomer.findings[-1].remedy
    assert owner.plugin is not None


def test_an_owner_that_is_gone_owns_nothing() -> None:
    (only,) = settle([entry("aaa", "duck")], {"someone/duck": "zzz"})
    assert only.plugin is not None


DUCK = {"someone/duck": Standing("duck", "1")}


@pytest.mark.parametrize(
    ("standing", "entries", "expected"),
    [
        ({}, [entry("duck", "duck")], Plan(add=(entry("duck", "duck"),))),
        (DUCK, [entry("duck", "duck")], Plan()),
        (DUCK, [entry("duck", "duck", digest="2")], Plan(change=(entry("duck", "duck", digest="2"),))),
        (DUCK, [entry("bird", "duck")], Plan(move=(entry("bird", "duck"),))),
        (DUCK, [entry("bird", "duck", digest="2")], Plan(change=(entry("bird", "duck", digest="2"),))),
        (DUCK, [], Plan(remove=("someone/duck",))),
        (DUCK, [entry("duck", None)], Plan()),
        (DUCK, [entry("other", None)], Plan(remove=("someone/duck",))),
        (DUCK, [entry("duck", "goose")], Plan(add=(entry("duck", "goose"),), remove=("someone/duck",))),
        (DUCK, [entry("duck", None), entry("bird", "duck")], Plan(move=(entry("bird", "duck"),))),
    ],
)
def test_a_plan_leads_from_what_is_served_to_what_is_found(
    standing: dict[str, Standing], entries: list[Entry], expected: Plan
) -> None:
    assert plan(standing, entries) == expected
