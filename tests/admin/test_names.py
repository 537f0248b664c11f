"""Which plugin an operator means."""

import pytest

from endpointd.admin.names import id_of, path_of, resolve, resolve_served
from endpointd.errors import OperatorError, PluginUnknown
from endpointd.plugins.status import PluginStatus


def plugin(folder: str, plugin_id: str | None) -> PluginStatus:
    return PluginStatus(folder, plugin_id, "1.0.0", "RUNNING", 0.0, findings=() if plugin_id else ("no manifest",))


ALL = [
    plugin("one", "acme/neko"),
    plugin("two", "acme/duck"),
    plugin("three", "other/duck"),
    plugin("four", "ticker"),
    plugin("neko", "acme/hidden"),
    plugin("half", None),
]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("acme/neko", "acme/neko"),
        ("other/duck", "other/duck"),
        ("ticker", "ticker"),
        ("two", "acme/duck"),
        # The name of a plugin wins over that of a folder.
        ("neko", "acme/neko"),
        ("half", None),
    ],
)
def test_a_name_finds_its_plugin(name: str, found: str | None) -> None:
    assert resolve(name, ALL).id == found


def test_an_id_without_an_author_is_no_ambiguity() -> None:
    statuses = [plugin("a", "duck"), plugin("b", "acme/duck")]
    assert resolve("duck", statuses).folder == "a"


def test_a_name_that_several_have_lists_them() -> None:
    with pytest.raises(OperatorError, match="'duck' may be any of acme/duck, other/duck") as caught:
        resolve("duck", ALL)
    assert caught.value.code == "plugin_ambiguous"


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("nekko", "did you mean acme/neko?"),
        ("acme/nekko", "did you mean acme/neko?"),
        ("evil/neko", "did you mean acme/neko?"),
        ("zzz", "'endpointd list' shows those that there are"),
        ("z" * 100_000, "'endpointd list' shows those that there are"),
    ],
)
def test_an_unknown_name_is_told_what_is_near(name: str, remedy: str) -> None:
    with pytest.raises(PluginUnknown) as caught:
        resolve(name, ALL)
    assert (caught.value.code, caught.value.remedy) == ("plugin_unknown", remedy)


def test_a_folder_that_is_refused_cannot_be_acted_on() -> None:
    with pytest.raises(OperatorError, match="no manifest") as caught:
        resolve_served("half", ALL)
    assert caught.value.code == "plugin_refused"


@pytest.mark.parametrize("plugin_id", ["acme/neko", "ticker"])
def test_an_id_survives_its_way_through_a_path(plugin_id: str) -> None:
    path = path_of(plugin_id)
    assert path.count("/") == 1
    assert id_of(*path.split("/")) == plugin_id
