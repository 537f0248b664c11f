"""Implements the commands about the endpoints of a running daemon."""

from collections.abc import Sequence
from typing import Any

from endpointd.admin.client import Client
from endpointd.admin.documents import read
from endpointd.admin.names import resolve_served
from endpointd.cli.asking import ask_name, ask_settings, can_ask, confirm, show_faults
from endpointd.cli.endpoint_names import find_endpoint
from endpointd.cli.endpoint_views import print_endpoint, print_endpoints, print_urls
from endpointd.cli.given_values import values_of
from endpointd.cli.output import print_json, tell
from endpointd.cli.typed_rules import GivenRules
from endpointd.cli.typed_values import Assignments
from endpointd.endpoints.errors import EndpointInvalid
from endpointd.endpoints.views import EndpointView, SettingView
from endpointd.errors import UsageError
from endpointd.plugins.status import PluginStatus

_NAME = "name"
_SETTINGS = "settings."


# Reading


def list_endpoints(client: Client, plugin: str | None, *, json: bool) -> None:
    documents = client.endpoints(None if plugin is None else _plugin_id(client, plugin))
    if json:
        print_json(documents)
    else:
        print_endpoints([read(EndpointView, document) for document in documents])


def show_endpoint(client: Client, word: str, *, json: bool) -> None:
    document = _document(client, word)
    _show(client, document, json=json)


def show_urls(client: Client, word: str, *, json: bool) -> None:
    document = _document(client, word)
    if json:
        print_json(document["urls"])
    else:
        print_urls(read(EndpointView, document))


# Changing


def create(
    client: Client,
    plugin: str,
    name: str | None,
    given: Assignments,
    *,
    hook_id: str | None,
    enabled: bool,
    callers: GivenRules,
    json: bool,
) -> None:
    """Create an endpoint. On a terminal, missing values are asked for, and asked for again if the daemon refuses
    them."""
    plugin_id = _plugin_id(client, plugin)
    declared = _settings(client, plugin_id)
    settings = values_of(given, declared, is_whole=not can_ask())
    if can_ask():
        name = ask_name() if name is None else name
        settings |= ask_settings([one for one in declared if _is_missing(one, settings)])
    if name is None:
        raise UsageError("name_missing", "the endpoint has no name", "give it one with --name")
    wanted: dict[str, Any] = {"plugin": plugin_id, "name": name, "hook_id": hook_id, "enabled": enabled}
    wanted |= callers.document()
    while True:
        try:
            _show(client, client.create_endpoint(wanted | {"settings": settings}), json=json)
            return
        except EndpointInvalid as error:
            keys = {fault.key for fault in error.faults}
            faulty = [one for one in declared if f"{_SETTINGS}{one.name}" in keys]
            if not can_ask() or keys - {_NAME, *(f"{_SETTINGS}{one.name}" for one in faulty)}:
                raise
            show_faults(error.faults)
            if _NAME in keys:
                wanted["name"] = ask_name()
            settings |= ask_settings(faulty)


def update(
    client: Client,
    word: str,
    given: Assignments,
    *,
    name: str | None,
    hook_id: str | None,
    callers: GivenRules,
    json: bool,
) -> None:
    if name is None and hook_id is None and not given and not callers:
        what = "--set, --unset, --name, --hook-id, --allow-from, --rate, --cors"
        raise UsageError("nothing_to_change", "nothing is to be changed", f"say what: {what}")
    document = _document(client, word)
    change: dict[str, Any] = {"name": name, "hook_id": hook_id}
    change |= callers.document(document.get("cors"))
    if given:
        change["settings"] = values_of(given, _settings(client, document["plugin"]), is_whole=False)
    _show(client, client.change_endpoint(document["id"], change), json=json)


def switch(client: Client, words: Sequence[str], *, enabled: bool, json: bool) -> None:
    # Find all of them before the first one is changed.
    found = [_document(client, word) for word in words]
    changed = [client.switch_endpoint(document["id"], enabled=enabled) for document in found]
    if json:
        print_json(changed)
        return
    for view in [read(EndpointView, document) for document in changed]:
        tell(f"{_called(view)} is {'enabled' if enabled else 'disabled'}")


def delete(client: Client, words: Sequence[str], *, confirmed: bool, json: bool) -> None:
    """Delete endpoints. With `json`, print them as they were."""
    documents = [_document(client, word) for word in words]
    views = [read(EndpointView, document) for document in documents]
    names = ", ".join(map(_called, views))
    if not confirmed:
        if not can_ask():
            raise UsageError("not_confirmed", f"{names} would be deleted with its settings", "say so with --yes")
        confirm(f"Delete {names} with its settings and secrets?")
    for view in views:
        client.delete_endpoint(view.id)
        if not json:
            tell(f"{_called(view)} is deleted")
    if json:
        print_json(documents)


# What they have in common


def _show(client: Client, document: Any, *, json: bool) -> None:  # noqa: ANN401 - JSON
    if json:
        print_json(document)
        return
    view = read(EndpointView, document)
    plugins = [read(PluginStatus, one).id for one in client.plugins()]
    print_endpoint(view, _settings(client, view.plugin) if view.plugin in plugins else [])


def _called(view: EndpointView) -> str:
    return f"{view.plugin}:{view.name}"


def _document(client: Client, word: str) -> Any:  # noqa: ANN401
    documents = client.endpoints()
    views = [read(EndpointView, document) for document in documents]
    return documents[views.index(find_endpoint(word, views))]


def _plugin_id(client: Client, name: str) -> str:
    return resolve_served(name, [read(PluginStatus, document) for document in client.plugins()])


def _settings(client: Client, plugin_id: str) -> list[SettingView]:
    return [read(SettingView, document) for document in client.settings(plugin_id)]


def _is_missing(setting: SettingView, settings: dict[str, Any]) -> bool:
    return setting.required and setting.default is None and settings.get(setting.name) is None
