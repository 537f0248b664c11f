"""Parses YAML into a tree of nodes, safely: the size and depth of the tree are limited.

The tree is built from the parser's events in one loop without recursion, so that no nesting can exhaust the stack. An
alias counts as many nodes as it repeats, so that aliases cannot be used to build huge documents.
"""

from dataclasses import dataclass, field

import yaml

from endpointd.manifest.findings import Place, Report, shown
from endpointd.manifest.nodes import Entries, Items, Node, Scalar
from endpointd.manifest.scalars import ScalarReader, UnreadableScalar

# The largest known group has about 300 nodes on 8 levels; an alias bomb has billions.
MAX_NODES = 20_000
MAX_DEPTH = 50

_COLLECTION_TAGS = frozenset({None, "!", "tag:yaml.org,2002:seq", "tag:yaml.org,2002:map"})
_MERGE = "<<"
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_document(data: bytes, file: str, report: Report, most: int = MAX_NODES) -> Node | None:
    """The single document in `data`, or None with the reason in `report`. Duplicate keys are reported too. `most` is
    the largest number of nodes."""
    try:
        return _parse(_decoded(data), _Builder(file, report, most))
    except _Refusal as refusal:
        report.error(Place(file, refusal.line), refusal.code, refusal.message, refusal.remedy)
        return None


class _Refusal(Exception):
    """The document cannot be read at all."""

    def __init__(self, line: int | None, code: str, message: str, remedy: str) -> None:
        super().__init__(message)
        self.line = line
        self.code = code
        self.message = message
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class _Built:
    """A finished node, with the number of nodes and of levels that it has when its aliases are expanded."""

    node: Node
    size: int = 1
    height: int = 1


@dataclass(slots=True)
class _Open:
    """A list or mapping whose end has not come yet. The children of a mapping are keys and values alternately."""

    line: int
    anchor: str | None
    is_mapping: bool
    children: list[_Built] = field(default_factory=list)


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        message = f"byte {error.start} (0x{data[error.start]:02x}) is not UTF-8"
        raise _Refusal(line, "encoding", message, "save the file as UTF-8") from None


def _parse(text: str, builder: "_Builder") -> Node:
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            builder.feed(event)
    except yaml.YAMLError as error:
        raise _syntax(error, text) from None
    if builder.root is None:
        raise _Refusal(1, "yaml_empty", "the file is empty", "write the plugin's YAML into it")
    return builder.root


def _syntax(error: yaml.YAMLError, text: str) -> _Refusal:
    remedy = "correct the YAML there or on the line above (indentation is made of spaces, not tabs)"
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        # Newer YAML parsers have a limit of their own, and some reach it before the first event.
        if "nesting depth" in (error.problem or ""):
            return _too_deep(error.problem_mark.line + 1)
        message = ", ".join(part for part in (error.context, error.problem) if part)
        return _Refusal(error.problem_mark.line + 1, "yaml_syntax", f"not YAML: {message}", remedy)
    if isinstance(error, yaml.reader.ReaderError):
        line = next((n for n, part in enumerate(text.split("\n"), 1) if not _is_yaml_text(part)), None)
        message = "the line contains a control character, which YAML does not allow"
        return _Refusal(line, "yaml_character", message, "remove the character")
    return _Refusal(None, "yaml_syntax", f"not YAML: {error}", remedy)


def _is_yaml_text(line: str) -> bool:
    return not yaml.reader.Reader.NON_PRINTABLE.search(line)


class _Builder:
    """Turns the parser's events into nodes."""

    def __init__(self, file: str, report: Report, most: int) -> None:
        self.root: Node | None = None
        self._file = file
        self._report = report
        self._most = most
        self._scalars = ScalarReader()
        self._open: list[_Open] = []
        self._anchors: dict[str, _Built | None] = {}
        self._size = 0

    def feed(self, event: yaml.Event) -> None:
        """Take the next event. Raises `_Refusal` if the document cannot be accepted."""
        line = 1 if event.start_mark is None else event.start_mark.line + 1
        match event:
            case yaml.ScalarEvent():
                self._scalar(event, line)
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                self._begin(event, line)
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self._end()
            case yaml.AliasEvent():
                self._place(self._anchored(event.anchor, line), None, line)
            case yaml.DocumentStartEvent() if self.root is not None:
                message = "a second document begins here"
                raise _Refusal(line, "yaml_documents", message, "keep one document and remove the '---'")

    def _scalar(self, event: yaml.ScalarEvent, line: int) -> None:
        try:
            value = self._scalars.read(event.tag, event.value, event.implicit)
        except UnreadableScalar as error:
            raise _Refusal(line, error.code, str(error), error.remedy) from None
        self._place(_Built(Scalar(line, value, event.value)), event.anchor, line)

    def _begin(self, event: yaml.CollectionStartEvent, line: int) -> None:
        if event.tag not in _COLLECTION_TAGS:
            message = f"the tag {shown(event.tag)} is not for a plugin's YAML"
            raise _Refusal(line, "yaml_tag", message, "remove the tag")
        if len(self._open) >= MAX_DEPTH:
            raise _too_deep(line)
        self._open.append(_Open(line, event.anchor, isinstance(event, yaml.MappingStartEvent)))
        if event.anchor is not None:
            self._anchors[event.anchor] = None

    def _end(self) -> None:
        ended = self._open.pop()
        size = 1 + sum(child.size for child in ended.children)
        height = 1 + max((child.height for child in ended.children), default=0)
        node = self._entries(ended) if ended.is_mapping else _items(ended)
        # The children were counted when they were placed.
        self._place(_Built(node, size, height), ended.anchor, ended.line, charge=1)

    def _anchored(self, anchor: str | None, line: int) -> _Built:
        if anchor is None or anchor not in self._anchors:
            raise _Refusal(line, "yaml_alias", f"the alias '*{anchor}' has no anchor", f"write '&{anchor}' before")
        built = self._anchors[anchor]
        if built is None:
            raise _Refusal(line, "yaml_alias", f"the alias '*{anchor}' contains itself", "write the value out")
        return built

    def _place(self, built: _Built, anchor: str | None, line: int, charge: int | None = None) -> None:
        self._size += built.size if charge is None else charge
        if self._size > self._most:
            message = f"the document stands for more than {self._most} values once its aliases are written out"
            raise _Refusal(line, "yaml_too_large", message, "use fewer aliases, or split the file")
        if len(self._open) + built.height > MAX_DEPTH + 1:
            raise _too_deep(line)
        if anchor is not None:
            self._anchors[anchor] = built
        if self._open:
            self._open[-1].children.append(built)
        else:
            self.root = built.node

    def _entries(self, ended: _Open) -> Entries:
        own = Entries(ended.line, {}, {})
        merged: list[Entries] = []
        for key, value in zip(ended.children[::2], ended.children[1::2], strict=True):
            name = _key(key.node)
            if name == _MERGE:
                merged.extend(_mergeable(value.node))
            elif name in own.entries:
                self._twice(name, own.lines[name], key.node.line)
            else:
                own.entries[name] = value.node
                own.lines[name] = key.node.line
        for other in merged:
            for name, node in other.entries.items():
                own.entries.setdefault(name, node)
                own.lines.setdefault(name, other.lines[name])
        return own

    def _twice(self, name: str, first: int, second: int) -> None:
        message = f"the key is written twice, on line {first} and on line {second}"
        self._report.error(Place(self._file, second, name), "key_twice", message, "remove one of the two")


def _items(ended: _Open) -> Items:
    return Items(ended.line, tuple(child.node for child in ended.children))


def _key(node: Node) -> str:
    if isinstance(node, Scalar):
        return node.text
    raise _Refusal(node.line, "yaml_key", "a list or mapping is used as a key", "use text as the key")


def _mergeable(node: Node) -> list[Entries]:
    nodes = node.items if isinstance(node, Items) else (node,)
    mappings = [node for node in nodes if isinstance(node, Entries)]
    if len(mappings) < len(nodes):
        message = "'<<' merges something that is not a mapping"
        raise _Refusal(node.line, "yaml_merge", message, "give '<<' an alias of a mapping")
    return mappings


def _too_deep(line: int) -> _Refusal:
    message = f"lists and mappings are nested more than {MAX_DEPTH} levels deep"
    return _Refusal(line, "yaml_too_deep", message, "flatten the file")
