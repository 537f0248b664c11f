"""Finds the plugin that an operator means by a name. Pure."""

from collections.abc import Iterable, Sequence

from endpointd.errors import OperatorError, PluginUnknown
from endpointd.plugins.status import PluginStatus


def resolve(name: str, statuses: Sequence[PluginStatus]) -> PluginStatus:
    """The plugin with this id, else the one with this name and any author, else the one in the folder of this name.

    Raises `OperatorError` if there are several, `PluginUnknown` if there is none.
    """
    found = _named(name, statuses)
    if not found:
        raise PluginUnknown(name, [status.id or status.folder for status in statuses])
    if len(found) > 1:
        candidates = ", ".join(sorted(status.id or status.folder for status in found))
        raise OperatorError("plugin_ambiguous", f"{name!r} may be any of {candidates}", "write the whole name")
    return found[0]


def resolve_served(name: str, statuses: Sequence[PluginStatus]) -> str:
    """The id of the plugin that is meant. Raises as `resolve`, and `OperatorError` if the folder cannot be served."""
    status = resolve(name, statuses)
    if status.id is None:
        raise OperatorError(
            "plugin_refused",
            f"the folder {status.folder!r} cannot be served: {'; '.join(status.findings)}",
            "mend it; the daemon takes it in by itself then",
        )
    return status.id


def _named(name: str, statuses: Iterable[PluginStatus]) -> list[PluginStatus]:
    statuses = list(statuses)
    exact = [status for status in statuses if status.id == name]
    own_name = [status for status in statuses if status.id is not None and status.id.rpartition("/")[2] == name]
    return exact or own_name or [status for status in statuses if status.folder == name]


def path_of(plugin_id: str) -> str:
    """The plugin's path in URLs of the API: "acme/greeter" → "acme/greeter", "greeter" → "~/greeter"."""
    return plugin_id if "/" in plugin_id else f"~/{plugin_id}"


def id_of(author: str, name: str) -> str:
    """The plugin's id for its path in the API; the inverse of `path_of`."""
    return name if author == "~" else f"{author}/{name}"
