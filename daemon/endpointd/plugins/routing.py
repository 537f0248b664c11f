"""Finds the interface that answers a request: the routes of one plugin, matched by werkzeug's rules.

Pure, and called for every request. Never raises, whatever the path, method and query are.
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

# The number of paths with variables whose match is cached, and their greatest length in characters: werkzeug's matching
# costs more than anything else that the host does for a request. When the cache is full, it is emptied.
REMEMBERED = 1024
REMEMBERED_LENGTH = 200

# The highest number of ways to divide a text among variables that one match may try. They take about 0.1 s.
MAX_WAYS = 10_000_000

_UNLIMITED = sys.maxsize
# werkzeug builds absolute URLs. This is the placeholder for their origin, which is removed again.
_HOST = "host"
_ORIGIN = f"http://{_HOST}"
# Every visible ASCII character but '#', which would begin a fragment.
_QUERY_SAFE = "".join(chr(c) for c in range(0x21, 0x7F) if chr(c) != "#")


class Matched(NamedTuple):
    """The interface, as an index into the table's interfaces, and the values of the rule's variables."""

    interface: int
    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Redirect:
    """The client is to repeat the request at another path (308). `location` is an absolute path without a host."""

    location: str


@dataclass(frozen=True, slots=True)
class NotFound:
    """No interface has this path (404)."""


@dataclass(frozen=True, slots=True)
class MethodNotAllowed:
    """The path exists, but not with this method (405). `allow` are the methods that it has, sorted."""

    allow: tuple[str, ...]


Route: TypeAlias = Matched | Redirect | NotFound | MethodNotAllowed


class RouteTable:
    """The routes of one plugin. The constructor raises `RuleProblem` if an interface's path is not a valid rule."""

    def __init__(self, interfaces: Sequence[Interface]) -> None:
        rules = [read_rule(interface.path) for interface in interfaces]
        order = _order(rules, interfaces)
        self.patterns = tuple(f"{interface.method} {interface.path}" for interface in interfaces)
        """The names of the interfaces in the log: their method and path."""
        self._adapter = compiled(lambda: _map(interfaces, order)).bind(_HOST, default_method="")
        self._literal = _literal_routes(rules, interfaces, order)
        self._known: dict[tuple[str, str], tuple[int, dict[str, Any]]] = {}
        self._longest_segment = _longest(rule.crowding.in_segment for rule in rules)
        self._longest_path = _longest(rule.crowding.in_tail for rule in rules)

    def match(self, path: str, method: str, query: str, prefix: str) -> Route:
        """Find the interface for a request.

        `path` is the decoded path behind `prefix`; it begins with `/`, or is empty. `query` is the raw query
        without its `?`, as Latin-1 text. `prefix` is the path at which the plugin is mounted, `/e/<hook id>`. A
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
            # ValueError comes from a converter, or from a redirect to a path that is not UTF-8.
            return NotFound()
        if len(path) <= REMEMBERED_LENGTH:
            self._remember(path, method, at, dict(values))
        return Matched(at, dict(values))

    def _remember(self, path: str, method: str, at: int, values: dict[str, Any]) -> None:
        if len(self._known) >= REMEMBERED:
            self._known.clear()
        self._known[path, method] = at, values

    def _is_too_long(self, path: str) -> bool:
        """Whether matching could take too long. It would block the event loop, which all plugins share."""
        if len(path) <= min(self._longest_segment, self._longest_path):
            return False
        return len(path) > self._longest_path or max(map(len, path.split("/"))) > self._longest_segment


def _order(rules: Sequence[RulePath], interfaces: Sequence[Interface]) -> list[int]:
    """The order in which rules are added: as listed, but with those of one shape together, and among them HEAD before
    GET, which would answer HEAD too."""
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
    """The routes without variables. werkzeug prefers them to all others too; a dictionary is faster."""
    routes: dict[tuple[str, str], int] = {}
    for at in order:
        literal, method = rules[at].literal, interfaces[at].method
        if literal is not None:
            routes.setdefault((literal, method), at)
            if method == "GET":
                routes.setdefault((literal, "HEAD"), at)
    return routes


def _longest(counts: Iterable[int]) -> int:
    """The length of the longest text that can be matched within MAX_WAYS. `counts` are the numbers of variables that
    share a text, one for each rule."""
    most = max(counts, default=0)
    if most < 2:
        return _UNLIMITED
    return int((MAX_WAYS * factorial(most)) ** (1 / most))


def _suffix(query: str) -> str:
    return f"?{quote(query.encode('latin-1', 'replace'), safe=_QUERY_SAFE)}" if query else ""
