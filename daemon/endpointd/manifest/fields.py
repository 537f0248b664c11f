"""Reads one mapping of a document key by key, and reports a finding, with its place, for each value that is invalid.

Every getter returns None, or another neutral value, if the key is absent or its value cannot be used; in the latter
case it has reported a finding.
"""

from collections.abc import Collection, Iterator

from endpointd.manifest.findings import Place, Report, Severity
from endpointd.manifest.nodes import Entries, Items, Node, Scalar, described, is_null
from endpointd.manifest.suggestions import near

# What Dify accepts as a boolean besides YAML's own.
_LOOSE_BOOLEANS = {
    **dict.fromkeys(("true", "yes", "on", "y", "t", "1"), True),
    **dict.fromkeys(("false", "no", "off", "n", "f", "0"), False),
}


class Fields:
    """One mapping, the file it is in, and the dotted path that leads to it."""

    def __init__(self, report: Report, file: str, node: Entries, prefix: str = "", line: int | None = None) -> None:
        self.report = report
        self.file = file
        self.prefix = prefix
        self._node = node
        self._line = node.line if line is None else line

    def under(self, prefix: str) -> "Fields":
        """The same mapping with another dotted path."""
        return Fields(self.report, self.file, self._node, prefix, self._line)

    @property
    def names(self) -> Collection[str]:
        """The keys that are written."""
        return self._node.entries.keys()

    def node(self, name: str) -> Node | None:
        """The node under a key; None if the key is absent or its value is null."""
        node = self._node.entries.get(name)
        return None if node is None or is_null(node) else node

    def place(self, name: str) -> Place:
        """Where the key is written; if it is missing, where the mapping is."""
        return Place(self.file, self._node.lines.get(name, self._line), self.path(name))

    def path(self, name: str) -> str:
        """The dotted path of a key."""
        return f"{self.prefix}.{name}" if self.prefix else name

    def note(self, severity: Severity, name: str, code: str, message: str, remedy: str) -> None:
        """Record a finding about a key."""
        self.report.add(severity, self.place(name), code, message, remedy)

    def error(self, name: str, code: str, message: str, remedy: str) -> None:
        """Record an error about a key."""
        self.note(Severity.ERROR, name, code, message, remedy)

    def warning(self, name: str, code: str, message: str, remedy: str) -> None:
        """Record a warning about a key."""
        self.note(Severity.WARNING, name, code, message, remedy)

    def missing(self, severity: Severity, name: str, example: str) -> None:
        """Record that a required key is missing or empty."""
        what = "is empty" if name in self.names else "is missing"
        self.note(severity, name, "key_missing", f"'{name}' {what}", f"write {example}")

    def mistyped(self, severity: Severity, name: str, wanted: str, node: Node, remedy: str) -> None:
        """Record that a key's value is of the wrong type."""
        self.note(severity, name, "wrong_type", f"this is {described(node)}, not {wanted}", remedy)

    def text(self, name: str, severity: Severity = Severity.WARNING) -> str | None:
        """Text that is not blank; None if absent. `severity` is that of the finding for a wrong type."""
        node = self.node(name)
        if node is None:
            return None
        if not isinstance(node, Scalar):
            self.mistyped(severity, name, "text", node, "write text")
        elif not isinstance(node.value, str):
            self._unquoted(severity, name, node)
        elif not node.value.strip():
            self.note(severity, name, "text_blank", "the text is blank", "write a text or remove the key")
        else:
            return node.value
        return None

    def loose_text(self, name: str, severity: Severity = Severity.WARNING) -> str | None:
        """Like `text`, but a number, boolean or date is accepted as it was written, with a warning."""
        node = self.node(name)
        if isinstance(node, Scalar) and not isinstance(node.value, str):
            self._unquoted(Severity.WARNING, name, node)
            return node.text
        return self.text(name, severity)

    def _unquoted(self, severity: Severity, name: str, node: Scalar) -> None:
        self.mistyped(severity, name, "text", node, f'write it in quotes: {name}: "{node.text[:40]}"')

    def boolean(self, name: str, severity: Severity = Severity.ERROR) -> bool:
        """A boolean, False if absent. `"yes"`, `1` and the like are accepted, with a warning."""
        node = self.node(name)
        if node is None:
            return False
        if isinstance(node, Scalar):
            if isinstance(node.value, bool):
                return node.value
            value = _LOOSE_BOOLEANS.get(node.text.lower())
            if value is not None:
                word = str(value).lower()
                self.mistyped(Severity.WARNING, name, "a boolean", node, f"write {name}: {word}, without quotes")
                return value
        self.mistyped(severity, name, "a boolean", node, f"write {name}: true or {name}: false")
        return False

    def integer(self, name: str) -> int | None:
        """A whole number; None if absent, or, with a warning, if it is something else."""
        node = self.node(name)
        if node is None:
            return None
        if isinstance(node, Scalar) and isinstance(node.value, int) and not isinstance(node.value, bool):
            return node.value
        self.mistyped(Severity.WARNING, name, "a whole number", node, "write a whole number of bytes")
        return None

    def fields(self, name: str, severity: Severity) -> "Fields | None":
        """The mapping under a key; None if absent. `severity` is that of the finding for a wrong type."""
        node = self.node(name)
        if node is None:
            return None
        if isinstance(node, Entries):
            return Fields(self.report, self.file, node, self.path(name), self.place(name).line)
        self.mistyped(severity, name, "a mapping", node, "write its keys below it, indented")
        return None

    def items(self, name: str, severity: Severity) -> tuple[Node, ...]:
        """The items of the list under a key; empty if absent. `severity` is that of the finding for a wrong type."""
        node = self.node(name)
        if node is None:
            return ()
        if isinstance(node, Items):
            return node.items
        self.mistyped(severity, name, "a list", node, f"write {name}: and below it one '- ' line for each item")
        return ()

    def missing_items(self, name: str, example: str) -> None:
        """Record an error for a required list that is missing or empty. A wrong type was reported already."""
        node = self.node(name)
        if node is None:
            self.missing(Severity.ERROR, name, example)
        elif isinstance(node, Items):
            self.error(name, "list_empty", f"'{name}' is an empty list", f"write {example}")

    def warn_of_misspellings(self, known: Collection[str], others: Collection[str] = ()) -> None:
        """Warn of each unknown key that is similar to a known key which is absent. Ignored are other unknown keys, and
        `others`, which are known elsewhere."""
        absent = [name for name in known if name not in self.names]
        for name, meant in self._misspelt({*known, *others}, absent):
            message = f"'{name}' is not a key of a plugin and is ignored"
            self.warning(name, "key_misspelt", message, f"did you mean '{meant}'?")

    def _misspelt(self, known: Collection[str], absent: Collection[str]) -> Iterator[tuple[str, str]]:
        for name in self.names:
            if name not in known:
                yield from ((name, meant) for meant in near(name, absent))
