"""Reads `endpoints.yaml`, a file that declares endpoints, and remembers the line of each key. Pure.

endpoints:
  - plugin: acme/greeter
    name: Greetings
    hook_id: greetings
    settings:
      greeting: Hello
      token: {env: GREETER_TOKEN}
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from endpointd.callers.reading import read_rules
from endpointd.callers.rules import KEYS
from endpointd.errors import UsageError
from endpointd.manifest.document import read_document
from endpointd.manifest.fields import Fields
from endpointd.manifest.findings import Finding, Place, Report, Severity
from endpointd.manifest.nodes import Entries, Node, Scalar, plain
from endpointd.manifest.suggestions import meant
from endpointd.manifest.values import is_sendable
from endpointd.store.records import check_hook_id, check_name

MOST = 1000
"""The most endpoints that one file may declare."""

_MOST_NODES = 100_000
"""The most keys and values of a file."""

_UNQUOTED = {
    "yaml_value": "a value looks like YAML's number or date and is none",
    "yaml_tag": "a value begins with '!', which is a tag in YAML",
    "yaml_alias": "a value begins with '*', which is an alias in YAML",
}
"""Messages for faults that an unquoted secret may cause; unlike the usual ones, they do not quote the text."""

_TOP = ("endpoints",)
_KEYS = ("plugin", "name", "hook_id", "enabled", "settings", *KEYS)
_SOURCES = ("env", "file")


@dataclass(frozen=True, slots=True)
class Reference:
    """A value that is to be read from elsewhere. `kind` is "env" for the environment variable `name`, or "file" for the
    file `name`."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Declared:
    """One declared endpoint. Without a hook id it keeps the one that it has, or gets a random one. A null is no value
    for a setting. The name is unique within a plugin, because an existing endpoint is found by it."""

    plugin: str
    name: str
    hook_id: str | None = None
    enabled: bool = True
    settings: Mapping[str, Any] = field(default_factory=dict, repr=False)
    callers: Mapping[str, Any] = field(default_factory=dict)
    """The rules for who may call, as they were given."""


@dataclass(frozen=True, slots=True)
class DeclaredFile:
    """The content of a file. If there is an error among the `findings`, it must not be applied, but it can still be
    checked: faulty parts are left out.

    `places` has the position in the file of each endpoint, because endpoints without a plugin or a name are left out.
    `lines` has the line of each key, by the path that faults use: "endpoints[2].settings.token".
    """

    endpoints: tuple[Declared, ...]
    places: tuple[int, ...]
    findings: tuple[Finding, ...]
    lines: Mapping[str, int]

    @property
    def errors(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.severity is Severity.ERROR)


def read_declared(data: bytes, file: str) -> DeclaredFile:
    """Read the file's content. Never raises; all faults are among the findings, none of which contains the value of a
    setting. `file` is the name for the findings."""
    report = Report()
    root = read_document(data, file, report, _MOST_NODES)
    reader = _Reader(report, file)
    found = dict(reader.endpoints(root)) if root is not None else {}
    findings = tuple(map(_reworded, report.findings))
    return DeclaredFile(tuple(found.values()), tuple(found), findings, reader.lines)


def _reworded(finding: Finding) -> Finding:
    """Replace messages that are meant for a plugin's file, or that quote text of the file, which may be a secret."""
    if finding.code == "yaml_empty":
        return replace(finding, remedy="write endpoints: [] if there are to be none")
    is_tag = finding.code == "yaml_syntax" and "tag handle" in finding.message
    message = _UNQUOTED.get("yaml_tag" if is_tag else finding.code)
    if message is None:
        return finding
    return replace(finding, message=message, remedy="write it in quotes if it is text")


class _Reader:
    def __init__(self, report: Report, file: str) -> None:
        self.lines: dict[str, int] = {}
        self._report = report
        self._file = file

    def endpoints(self, root: Node) -> Iterator[tuple[int, Declared]]:
        """Yields each endpoint with its position in the file."""
        if not isinstance(root, Entries):
            # The content is not described: the file may contain a secret, and was given by mistake.
            message = "the file does not hold a mapping"
            self._report.error(Place(self._file, root.line), "wrong_type", message, "begin it with endpoints:")
            return
        top = Fields(self._report, self._file, root)
        self._refuse_others(top, _TOP)
        if top.node("endpoints") is None:
            # Without the key, all endpoints that the file has declared would be removed; that must be explicit.
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
                yield index, one

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
        name = _checked(fields, "name", name, check_name)
        hook_id = _checked(fields, "hook_id", fields.loose_text("hook_id", Severity.ERROR), check_hook_id)
        enabled = fields.node("enabled") is None or fields.boolean("enabled")
        settings = self._settings(fields, key)
        if plugin is None or name is None:
            return None
        first = seen.setdefault((plugin, name), key)
        if first != key:
            message = f"{first} is of the same plugin and has the same name"
            fields.error("name", "endpoint_twice", message, "give one of them another name")
        return Declared(plugin, name, hook_id, enabled, settings, self._callers(fields, key))

    def _needed(self, fields: Fields, name: str, example: str) -> str | None:
        if fields.node(name) is None:
            fields.missing(Severity.ERROR, name, example)
        return fields.text(name, Severity.ERROR)

    def _settings(self, fields: Fields, key: str) -> dict[str, Any]:
        node = fields.node("settings")
        if not isinstance(node, Entries):
            if node is not None:
                # The value is not described: it may be a secret whose key is missing.
                remedy = "write the settings below it, indented"
                fields.error("settings", "wrong_type", "the settings are a mapping", remedy)
            return {}
        self.lines.update({f"{key}.settings.{name}": line for name, line in node.lines.items()})
        inner = Fields(self._report, self._file, node, f"{key}.settings")
        return {name: self._value(inner, name, value) for name, value in node.entries.items()}

    def _callers(self, fields: Fields, key: str) -> dict[str, Any]:
        """The rules for who may call; faults are reported with their lines."""
        nodes = {name: node for name in KEYS if (node := fields.node(name)) is not None}
        cors = nodes.get("cors")
        if isinstance(cors, Entries):
            self.lines.update({f"{key}.cors.{name}": line for name, line in cors.lines.items()})
        given = {name: plain(node) for name, node in nodes.items()}
        faults = read_rules(given)[1]
        for fault in faults:
            whole = f"{key}.{fault.key}"
            place = Place(
                self._file, self.lines.get(whole) or self.lines[f"{key}.{fault.key.partition('.')[0]}"], whole
            )
            self._report.error(place, fault.code, fault.message, fault.remedy)
        return {} if faults else given

    def _value(self, inner: Fields, name: str, node: Node) -> object:
        """The value of a setting. A mapping with the single key `env` or `file` is a `Reference`; no type of setting
        has such values."""
        if isinstance(node, Entries) and len(node.entries) == 1 and next(iter(node.entries)) in _SOURCES:
            kind, target = next(iter(node.entries.items()))
            if isinstance(target, Scalar) and isinstance(target.value, str) and target.value.strip():
                return Reference(kind, target.value)
            what = "an environment variable" if kind == "env" else "a file"
            inner.error(name, "reference_invalid", f"'{kind}' does not name {what}", f"write {kind}: and its name")
            return None
        value = plain(node)
        if not is_sendable(value):
            message = "it is, or holds, a number that cannot be given to a plugin"
            inner.error(name, "value_unsendable", message, "write another number, or text in quotes")
            return None
        return value

    def _refuse_others(self, fields: Fields, known: Collection[str]) -> None:
        """Report each unknown key as an error: unlike a plugin's files, this one is only for endpointd."""
        for name in fields.names:
            if name not in known:
                fields.error(name, "key_unknown", "there is no such key", meant(name, known))


def _checked(fields: Fields, key: str, value: str | None, check: Callable[[str], None]) -> str | None:
    """The value; None, with an error in the report, if `check` refuses it."""
    if value is not None:
        try:
            check(value)
        except UsageError as error:
            fields.error(key, error.code, error.message, error.remedy)
            return None
    return value
