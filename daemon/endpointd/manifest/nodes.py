"""The tree that a YAML document is read into. Each node knows the line on which it is written."""

from dataclasses import dataclass
from datetime import date
from typing import TypeAlias

Plain: TypeAlias = bool | int | float | str | date | None


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value. `text` is how it was written, which may say more than the value: `3.10` is the number 3.1."""

    line: int
    value: Plain
    text: str


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    line: int
    items: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class Entries:
    """A mapping, by the text of each key. `lines` has the line of each key."""

    line: int
    entries: "dict[str, Node]"
    lines: dict[str, int]


Node: TypeAlias = Scalar | Items | Entries


def is_null(node: Node) -> bool:
    """Whether the node is YAML's null; that includes an empty value."""
    return isinstance(node, Scalar) and node.value is None


def plain(node: Node) -> object:
    """The node as plain values (dicts, lists, scalars), dates as text. Recursive; the depth of a document is
    limited."""
    if isinstance(node, Items):
        return [plain(item) for item in node.items]
    if isinstance(node, Entries):
        return {key: plain(value) for key, value in node.entries.items()}
    return node.text if isinstance(node.value, date) else node.value


def described(node: Node) -> str:
    """What kind of value the node is, for a message: `a list`, `the number 3.12`, `text`, ..."""
    if isinstance(node, Items):
        return "a list"
    if isinstance(node, Entries):
        return "a mapping"
    match node.value:
        case None:
            return "empty"
        case bool():
            return f"the boolean {node.text}"
        case int() | float():
            return f"the number {node.text[:40]}"
        case str():
            return "text"
        case _:
            return f"the date {node.text}"
