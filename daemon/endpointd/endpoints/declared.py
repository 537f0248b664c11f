"""Reading `endpoints.yaml`: endpoints as a file declares them, with the line of everything. Pure.

endpoints:
  - plugin: acme/greeter
    name: Greetings
    hook_id: greetings
    settings:
      greeting: Hello
      token: {env: GREETER_TOKEN}
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from endpointd.errors import UsageError
from endpointd.manifest.document import read_document
from endpointd.manifest.fields import Fields
from endpointd.manifest.findings import Finding, Place, Report, Severity
from endpointd.manifest.nodes import Entries, Node, Scalar, described, is_null, plain
from endpointd.manifest.suggestions import meant
from endpointd.store.records import check_hook_id, check_name

MOST = 1000
"""Endpoints that one file may declare."""

_TOP = ("endpoints",)
_KEYS = ("plugin", "name", "hook_id", "enabled", "settings")
_SOURCES = ("env", "file")


@dataclass(frozen=True, slots=True)
class Reference:
    """A value that is somewhere else: in the environment variable ("env") or the file ("file") that `name` names."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Declared:
    """One endpoint. Without a hook id it keeps the one it has, or gets one by chance. A name is one plugin's only once,
    because by it the endpoint is found again."""

    plugin: str
    name: str
    hook_id: str | None = None
    enabled: bool = True
    settings: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class DeclaredFile:
    """What was read. With an error among the `findings` nothing of it is to be used. `lines` has the line of each key,
    by the path that faults use: "endpoints[2].settings.token"."""

    endpoints: tuple[Declared, ...]
    findings: tuple[Finding, ...]
    lines: Mapping[str, int]

    @property
    def errors(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.severity is Severity.ERROR)


def read_declared(data: bytes, file: str) -> DeclaredFile:
    """Whatever is in the file, this returns; every fault is among the findings, none of which has a value in it."""
    report = Report()
    root = read_document(data, file, report)
    reader = _Reader(report, file)
    endpoints = tuple(reader.endpoints(root)) if root is not None else ()
    return DeclaredFile(endpoints, report.findings, reader.lines)


class _Reader:
    def __init__(self, report: Report, file: str) -> None:
        self.lines: dict[str, int] = {}
        self._report = report
        self._file = file

    def endpoints(self, root: Node) -> Iterator[Declared]:
        if not isinstance(root, Entries):
            message = f"the file holds {described(root)}, not a mapping"
            self._report.error(Place(self._file, root.line), "wrong_type", message, "begin it with endpoints:")
            return
        top = Fields(self._report, self._file, root)
        self._refuse_others(top, _TOP)
        if "endpoints" not in top.names:
            # An empty file would be the removal of all that it has declared; that has to be said.
            top.missing(Severity.ERROR, "endpoints", "endpoints: [] if there are to be none")
        items = top.items("endpoints", Severity.ERROR)
        if len(items) > MOST:
            message = f"{len(items)} endpoints are declared, and {MOST} is the most"
            top.error("endpoints", "endpoints_too_many", message, "declare fewer")
            return
        seen: dict[tuple[str, str], str] = {}
        for index, item in enumerate(items):
            one = self._endpoint(item, f"endpoints[{index}]", seen)
            if one is not None:
                yield one

    def _endpoint(self, node: Node, key: str, seen: dict[tuple[str, str], str]) -> Declared | None:
        self.lines[key] = node.line
        if not isinstance(node, Entries):
            place = Place(self._file, node.line, key)
            self._report.error(place, "wrong_type", "an endpoint is a mapping", "write - plugin: and below it name:")
            return None
        self.lines.update({f"{key}.{name}": line for name, line in node.lines.items()})
        fields = Fields(self._report, self._file, node, key)
        self._refuse_others(fields, _KEYS)
        plugin = self._needed(fields, "plugin", "plugin: and its author/name")
        name = self._needed(fields, "name", "name: and how the endpoint is to be called")
        hook_id = fields.loose_text("hook_id", Severity.ERROR)
        _check(fields, "name", name, check_name)
        _check(fields, "hook_id", hook_id, check_hook_id)
        enabled = fields.node("enabled") is None or fields.boolean("enabled")
        settings = self._settings(fields, key)
        if plugin is None or name is None:
            return None
        first = seen.setdefault((plugin, name), key)
        if first != key:
            message = f"{first} is of the same plugin and has the same name"
            fields.error("name", "endpoint_twice", message, "give one of them another name")
        return Declared(plugin, name, hook_id, enabled, settings)

    def _needed(self, fields: Fields, name: str, example: str) -> str | None:
        if fields.node(name) is None:
            fields.missing(Severity.ERROR, name, example)
        return fields.text(name, Severity.ERROR)

    def _settings(self, fields: Fields, key: str) -> dict[str, Any]:
        inner = fields.fields("settings", Severity.ERROR)
        node = fields.node("settings")
        if inner is None or not isinstance(node, Entries):
            return {}
        self.lines.update({f"{key}.settings.{name}": line for name, line in node.lines.items()})
        found = {name: self._value(inner, name, value) for name, value in node.entries.items() if not is_null(value)}
        return {name: value for name, value in found.items() if value is not None}

    def _value(self, inner: Fields, name: str, node: Node) -> object:
        """A mapping whose only key is `env` or `file` is a reference; no type of a setting has such values."""
        if isinstance(node, Entries) and len(node.entries) == 1 and next(iter(node.entries)) in _SOURCES:
            kind, target = next(iter(node.entries.items()))
            if isinstance(target, Scalar) and isinstance(target.value, str) and target.value.strip():
                return Reference(kind, target.value)
            what = "an environment variable" if kind == "env" else "a file"
            inner.error(name, "reference_invalid", f"'{kind}' does not name {what}", f"write {kind}: and its name")
            return None
        return plain(node)

    def _refuse_others(self, fields: Fields, known: Collection[str]) -> None:
        """Unlike a plugin's file, this one is nobody else's: a key that is not known is a mistake."""
        for name in fields.names:
            if name not in known:
                fields.error(name, "key_unknown", "there is no such key", meant(name, known))


def _check(fields: Fields, key: str, value: str | None, check: Callable[[str], None]) -> None:
    if value is not None:
        try:
            check(value)
        except UsageError as error:
            fields.error(key, error.code, error.message, error.remedy)
