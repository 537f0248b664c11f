"""Which interface answers a request: one plugin's routes, matched by werkzeug's rules.

Pure, and called for every request; no path, method or query makes it raise.
"""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import factorial
from typing import Any, NamedTuple, TypeAlias
from urllib.parse import quote

from werkzeug import exceptions
from werkzeug.routing import Map, RequestRedirect, Rule

from endpointd.manifest.compiling import compiled
from endpointd.manifest.model import Interface
from endpointd.manifest.rules import RulePath, read_rule

# Paths with variables whose match is kept, because werkzeug's costs more than anything else that the host does for a
# request; all are forgotten when there are more. A longer path is matched each time.
REMEMBERED = 1024
REMEMBERED_LENGTH = 200

# Ways to share a text among variables that one match may try: about a tenth of a second.
MAX_WAYS = 10_000_000

_UNLIMITED = sys.maxsize
# werkzeug builds absolute URLs; only what follows this one's host leaves this file.
_HOST = "host"
_ORIGIN = f"http://{_HOST}"
# Every visible ASCII character but '#', which would begin a fragment.
_QUERY_SAFE = "".join(chr(c) for c in range(0x21, 0x7F) if chr(c) != "#")


class Matched(NamedTuple):
    """The interface, by its place in the table, and the values of the rule's variables."""

    interface: int
    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Redirect:
    """The same request belongs at another path (308). `location` is an absolute path, never with a host."""

    location: str


@dataclass(frozen=True, slots=True)
class NotFound:
    """No interface has this path (404)."""


@dataclass(frozen=True, slots=True)
class MethodNotAllowed:
    """The path is there and the method is not (405); `allow` has those that are, sorted."""

    allow: tuple[str, ...]


Route: TypeAlias = Matched | Redirect | NotFound | MethodNotAllowed


class RouteTable:
    """The routes of one plugin. RuleProblem from the constructor if an interface's path is not a rule."""

    def __init__(self, interfaces: Sequence[Interface]) -> None:
        rules = [read_rule(interface.path) for interface in interfaces]
        order = _order(rules, interfaces)
        self.patterns = tuple(f"{interface.method} {interface.path}" for interface in interfaces)
        """What the interfaces are called in the log."""
        self._adapter = compiled(lambda: _map(interfaces, order)).bind(_HOST, default_method="")
        self._literal = _literal_routes(rules, interfaces, order)
        self._known: dict[tuple[str, str], tuple[int, dict[str, Any]]] = {}
        self._longest_segment = _longest(rule.crowding.in_segment for rule in rules)
        self._longest_path = _longest(rule.crowding.in_tail for rule in rules)

    def match(self, path: str, method: str, query: str, prefix: str) -> Route:
        """Find the interface for a request.

        `path` is the decoded path behind `prefix`; it begins with `/`, or is empty. `query` is the raw query
        without its `?`, as Latin-1 text. `prefix` is what the plugin is mounted at, `/e/<hook id>`. A
        redirect keeps the query as it came. A path that is not UTF-8 is never redirected.
        """
        at = self._literal.get((path, method))
        if at is not None:
            return Matched(at, {})
        known = self._known.get((path, method))
        if known is not None:
            return Matched(known[0], known[1].copy())
        if self._is_too_long(path):
            return NotFound()
        try:
            at, values = self._adapter.match(path, method)
        except RequestRedirect as redirect:
            return Redirect(prefix + redirect.new_url.removeprefix(_ORIGIN) + _suffix(query))
        except exceptions.MethodNotAllowed as refusal:
            return MethodNotAllowed(tuple(sorted(refusal.valid_methods or ())))
        except (exceptions.NotFound, ValueError):
            # A ValueError is a converter's, or that of a redirect to a path with bytes that are not UTF-8.
            return NotFound()
        if len(path) <= REMEMBERED_LENGTH:
            self._remember(path, method, at, dict(values))
        return Matched(at, dict(values))

    def _remember(self, path: str, method: str, at: int, values: dict[str, Any]) -> None:
        if len(self._known) >= REMEMBERED:
            self._known.clear()
        self._known[path, method] = at, values

    def _is_too_long(self, path: str) -> bool:
        """Whether matching could take time out of proportion: the host has one loop for all plugins."""
        if len(path) <= min(self._longest_segment, self._longest_path):
            return False
        return len(path) > self._longest_path or max(map(len, path.split("/"))) > self._longest_segment


def _order(rules: Sequence[RulePath], interfaces: Sequence[Interface]) -> list[int]:
    """The order to add rules in: as listed, but a HEAD before the GET of its path, which answers HEAD too."""
    first: dict[tuple[str, ...], int] = {}
    for at, rule in enumerate(rules):
        first.setdefault(rule.shape, at)
    return sorted(range(len(rules)), key=lambda at: (first[rules[at].shape], interfaces[at].method != "HEAD"))


def _map(interfaces: Sequence[Interface], order: Sequence[int]) -> Map:
    rules = [Rule(interfaces[at].path, methods=[interfaces[at].method], endpoint=at) for at in order]
    return Map(rules, redirect_defaults=False)


def _literal_routes(
    rules: Sequence[RulePath], interfaces: Sequence[Interface], order: Iterable[int]
) -> dict[tuple[str, str], int]:
    """The routes without variables: werkzeug would prefer each of them to any other, only more slowly."""
    routes: dict[tuple[str, str], int] = {}
    for at in order:
        literal, method = rules[at].literal, interfaces[at].method
        if literal is not None:
            routes.setdefault((literal, method), at)
            if method == "GET":
                routes.setdefault((literal, "HEAD"), at)
    return routes


def _longest(counts: Iterable[int]) -> int:
    """The longest text that the most crowded rule can be matched against within MAX_WAYS."""
    most = max(counts, default=0)
    if most < 2:
        return _UNLIMITED
    return int((MAX_WAYS * factorial(most)) ** (1 / most))


def _suffix(query: str) -> str:
    return f"?{quote(query.encode('latin-1', 'replace'), safe=_QUERY_SAFE)}" if query else ""
