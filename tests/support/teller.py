"""The plugin test/teller, which has settings of every type, and endpoints of it in a real registry with a real store.

What is a fake is only what the endpoints ask of the plugins: `Shelf`.
"""

import threading
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Literal

from endpointd.endpoints.book import Book
from endpointd.endpoints.registry import Registry
from endpointd.errors import OperatorError
from endpointd.folders.folder import PluginFolder
from endpointd.manifest.model import Plugin
from endpointd.manifest.reading import read_plugin
from endpointd.sealing.keyring import KEY_BYTES, Key, Keyring
from endpointd.store.endpoint_store import EndpointStore
from endpointd.store.records import EndpointRecord
from support.plugins import write_plugin

TELLER = "test/teller"
SECRET = "hunter2-and-more"
BASE = "http://here"

TOKEN = {"token": {"type": "secret-input", "required": True}}
SETTINGS: Mapping[str, Mapping[str, Any]] = {
    **TOKEN,
    "greeting": {"type": "text-input", "required": True, "default": "Hello"},
    "region": {"type": "select", "default": "us", "options": [{"value": "us"}, {"value": "eu"}]},
    "loud": {"type": "boolean"},
    "app": {"type": "app-selector", "scope": "chat"},
    "model": {"type": "model-selector", "scope": "llm"},
    "order": {"type": "model-selector", "scope": "rerank"},
    "tools": {"type": "array[tools]"},
    "second": {"type": "secret-input", "default": "a-secret-default"},
}
MODEL = {"provider": "a/b/c", "model": "m", "model_type": "llm", "completion_params": {"temperature": 0.5}}

ANSWER = """
from dify_plugin import Endpoint

class Answer(Endpoint):
    def _invoke(self, r, values, settings):
        raise NotImplementedError
"""

_numbers = count()


def write(folder: Path, name: str = "teller", settings: Mapping[str, Any] = SETTINGS) -> Plugin:
    """The plugin test/<name>, read from a folder of its own."""
    routes = [("GET", "/", "answer.py"), ("POST", "/to/<who>", "answer.py")]
    made = write_plugin(folder / f"version-{next(_numbers)}", name, {"answer.py": ANSWER}, routes, settings)
    plugin = read_plugin(PluginFolder(made)).plugin
    assert plugin is not None
    return plugin


@dataclass
class Shelf:
    """The plugins that are served. `remounted` are those that were told that their endpoints have changed."""

    plugins: dict[str, Plugin] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    """What answers without an endpoint: the hook id, and the plugin."""
    remounted: list[str] = field(default_factory=list)

    def put(self, plugin: Plugin) -> None:
        self.plugins[plugin.id] = plugin

    def plugin(self, plugin_id: str) -> Plugin | None:
        return self.plugins.get(plugin_id)

    def ids(self) -> Collection[str]:
        return self.plugins.keys()

    def automatic(self, hook_id: str) -> str | None:
        return self.names.get(hook_id)

    def remount(self, plugin_id: str) -> None:
        self.remounted.append(plugin_id)


class FragileStore:
    """A real store that fails when it is told to: before it has changed something, or when it has."""

    def __init__(self, store: EndpointStore) -> None:
        self.real = store
        self.fails: Literal["before", "after"] | None = None
        self.is_blind = False
        """Whether it cannot tell what it holds, either."""
        self.error: Exception = OperatorError("database_unreachable", "the database is away", "bring it back")
        self.changes = 0
        self.gate: threading.Event | None = None
        """A change waits for it when it is there."""
        self.entered = threading.Event()
        self.most_at_once = 0
        self._at_once = 0

    def all(self) -> list[EndpointRecord]:
        if self.is_blind:
            raise self.error
        return self.real.all()

    def add(self, record: EndpointRecord) -> None:
        with self._disturbed():
            self.real.add(record)

    def replace(self, record: EndpointRecord) -> None:
        with self._disturbed():
            self.real.replace(record)

    def remove(self, id: str) -> None:  # noqa: A002
        with self._disturbed():
            self.real.remove(id)

    def change(self, removed: Iterable[str], records: Iterable[EndpointRecord]) -> None:
        with self._disturbed():
            self.real.change(removed, records)

    @contextmanager
    def _disturbed(self) -> Iterator[None]:
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        self.entered.set()
        try:
            if self.gate is not None:
                assert self.gate.wait(20)
            if self.fails == "before":
                raise self.error
            yield
            self.changes += 1
            if self.fails == "after":
                raise self.error
        finally:
            self._at_once -= 1


@dataclass
class Office:
    """Endpoints of the plugin, and everything that they are kept in."""

    shelf: Shelf
    store: FragileStore
    book: Book
    registry: Registry

    @property
    def kept(self) -> list[EndpointRecord]:
        """What is in the database; AssertionError: something else is in memory."""
        kept = self.store.real.all()
        assert kept == self.book.all()
        return kept

    async def create(self, name: str = "One", plugin_id: str = TELLER, **wanted: Any) -> str:  # noqa: ANN401
        """The endpoint's id."""
        settings = wanted.pop("settings", {"token": SECRET})
        return (await self.registry.create(plugin_id, name, settings, **wanted)).id

    async def change(self, endpoint_id: str, **changes: Any) -> None:  # noqa: ANN401
        await self.registry.update(endpoint_id, changes.pop("settings", {}), **changes)


@contextmanager
def office(folder: Path) -> Iterator[Office]:
    """Its database is `folder`/endpointd.db."""
    store = EndpointStore.open(folder / "endpointd.db", Keyring([Key(b"k" * KEY_BYTES)]))
    try:
        shelf, fragile, book = Shelf(), FragileStore(store), Book()
        shelf.put(write(folder / "plugins"))
        # Times that tell the order in which things were made.
        times = count(1_700_000_000.0)
        yield Office(shelf, fragile, book, Registry(fragile, book, shelf, lambda: BASE, times.__next__))
    finally:
        store.close()
