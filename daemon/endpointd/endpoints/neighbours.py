"""The interfaces that the registry of endpoints uses: of the store, and of the plugins."""

from collections.abc import Collection, Iterable
from typing import Protocol

from endpointd.manifest.model import Plugin
from endpointd.store.records import EndpointRecord


class Store(Protocol):
    """Where endpoints are stored. All methods block. When one returns, its change is durable; after an exception, it is
    not known whether the change was made."""

    def all(self) -> list[EndpointRecord]: ...

    def add(self, record: EndpointRecord) -> None: ...

    def replace(self, record: EndpointRecord) -> None: ...

    def remove(self, id: str) -> None: ...  # noqa: A002  the store's own word

    def change(self, removed: Iterable[str], records: Iterable[EndpointRecord]) -> None:
        """Remove and store several records, all of them or none."""


class Served(Protocol):
    """The plugins, as the registry of endpoints uses them."""

    def plugin(self, plugin_id: str) -> Plugin | None:
        """The version that serves, or, if none does yet, the one that will."""

    def ids(self) -> Collection[str]:
        """The ids of all plugins, to suggest one for a misspelt id."""

    def automatic(self, hook_id: str) -> str | None:
        """The plugin whose automatic endpoint is at this hook id, which is the plugin's name; None if there is none."""

    def remount(self, plugin_id: str) -> None:
        """Mount the endpoints that the book has for this plugin now: they have changed. Ignores a plugin that is not
        served, and must not raise."""
