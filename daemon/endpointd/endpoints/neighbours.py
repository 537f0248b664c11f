"""Whom the registry of endpoints deals with: the store and the plugins. Types alone."""

from collections.abc import Collection, Iterable
from typing import Protocol

from endpointd.manifest.model import Plugin
from endpointd.store.records import EndpointRecord


class Store(Protocol):
    """Blocking; what has returned is durable. What has raised has changed nothing, or it is not known whether."""

    def all(self) -> list[EndpointRecord]: ...

    def add(self, record: EndpointRecord) -> None: ...

    def replace(self, record: EndpointRecord) -> None: ...

    def remove(self, id: str) -> None: ...  # noqa: A002  the store's own word

    def change(self, removed: Iterable[str], records: Iterable[EndpointRecord]) -> None:
        """All of it or nothing."""


class Served(Protocol):
    """What the endpoints have to know of the plugins, and the one thing that they ask of them."""

    def plugin(self, plugin_id: str) -> Plugin | None:
        """The version that serves, or is to serve as soon as one does."""

    def ids(self) -> Collection[str]:
        """Of all plugins, for who has misspelt one."""

    def automatic(self, hook_id: str) -> str | None:
        """The plugin that answers at this hook id, its name, without an endpoint of an operator's."""

    def remount(self, plugin_id: str) -> None:
        """Its endpoints have changed: mount what the book gives now. A plugin that is not served is none of its
        concern. It must not raise."""
