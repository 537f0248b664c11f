"""Which endpoint is meant by a word."""

import pytest

from endpointd.cli.endpoint_names import find_endpoint
from endpointd.endpoints.errors import EndpointMissing
from endpointd.endpoints.views import EndpointView
from endpointd.errors import OperatorError


def view(number: str, name: str, plugin: str = "acme/greeter") -> EndpointView:
    return EndpointView(f"id{number}", f"hook{number}", plugin, name, {}, True, (), "operator", (), 0.0, 0.0)


ONE, TWO, OTHER = view("1", "Bot"), view("2", "Page"), view("3", "Bot", "acme/other")
NAMESAKE = view("4", "hook2")
ALL = [ONE, TWO, OTHER, NAMESAKE]


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("id1", ONE),
        ("hook2", TWO),
        ("Page", TWO),
        ("acme/other:Bot", OTHER),
        ("acme/greeter:Bot", ONE),
        ("other:Bot", OTHER),
        ("id4", NAMESAKE),
    ],
)
def test_an_id_wins_over_a_name_and_a_plugin_tells_names_apart(word: str, found: EndpointView) -> None:
    assert find_endpoint(word, ALL) is found


def test_a_name_that_several_have_is_refused_with_all_of_them() -> None:
    with pytest.raises(OperatorError) as caught:
        find_endpoint("Bot", ALL)
    assert caught.value.code == "endpoint_ambiguous"
    assert "hook1" in caught.value.message
    assert "hook3" in caught.value.message


def test_a_name_that_none_has_is_compared_with_those_that_there_are() -> None:
    with pytest.raises(EndpointMissing, match="Page"):
        find_endpoint("Pag", ALL)
