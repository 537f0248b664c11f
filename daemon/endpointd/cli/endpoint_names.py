"""Finds the endpoint that an operator names. Pure."""

from collections.abc import Sequence

from endpointd.endpoints.errors import EndpointMissing
from endpointd.endpoints.views import EndpointView
from endpointd.errors import OperatorError
from endpointd.manifest.suggestions import near


def find_endpoint(word: str, endpoints: Sequence[EndpointView]) -> EndpointView:
    """The one with this id or hook id, else the one with this name, which "author/plugin:name" or
    "plugin:name" makes unambiguous.

    Raises `EndpointMissing`, and `OperatorError` when several have the name.
    """
    exact = [one for one in endpoints if word in (one.id, one.hook_id)]
    named = [one for one in endpoints if word in _names(one)]
    found = exact or named
    if not found:
        raise EndpointMissing(word, near(word, [one.name for one in endpoints]))
    if len(found) > 1:
        candidates = ", ".join(f"{one.plugin}:{one.name} ({one.hook_id})" for one in found)
        raise OperatorError("endpoint_ambiguous", f"{word!r} may be any of {candidates}", "write its hook id")
    return found[0]


def _names(one: EndpointView) -> tuple[str, ...]:
    return (one.name, f"{one.plugin}:{one.name}", f"{one.plugin.rpartition('/')[2]}:{one.name}")
