"""Reads an interface's path, a werkzeug rule: checks it with werkzeug, and takes it apart for routing."""

import re
from dataclasses import dataclass
from functools import lru_cache

from werkzeug.routing import Map, Rule
from werkzeug.routing.rules import parse_converter_args

from endpointd.manifest.compiling import compiled
from endpointd.manifest.findings import shown

# werkzeug's matching recurses once for each segment of a rule.
MAX_SEGMENTS = 100
MAX_RULE = 1024

_VARIABLE = re.compile(
    r"<(?:(?P<converter>[a-zA-Z_]\w*)(?:\((?P<arguments>.*?)\))?:)?(?P<name>[a-zA-Z_]\w*)>", re.ASCII
)
# The exceptions with which werkzeug fails on an invalid rule or converter.
_REFUSALS = (ValueError, LookupError, TypeError, AttributeError, SyntaxError, OverflowError, re.error)


class RuleProblem(ValueError):
    """The path is not a valid rule. `code` is stable; `message` says why, `remedy` what to write instead."""

    def __init__(self, code: str, message: str, remedy: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable of a rule: the regular expression that it matches, and whether its text may contain a slash."""

    name: str
    regex: str
    crosses_slashes: bool


@dataclass(frozen=True, slots=True)
class RulePath:
    """A rule as a sequence of literal texts and variables. Repeated slashes are merged."""

    parts: tuple[str | Variable, ...]

    @property
    def literal(self) -> str | None:
        """The single path that the rule matches; None if it has variables."""
        texts = [part for part in self.parts if isinstance(part, str)]
        return "".join(texts) if len(texts) == len(self.parts) else None

    @property
    def shape(self) -> tuple[str, ...]:
        """The rule without the names of its variables: rules with equal shapes match the same paths."""
        return tuple(part if isinstance(part, str) else f"<{part.regex}>" for part in self.parts)

    @property
    def crowding(self) -> "Crowding":
        """How many variables the regular expressions have into which werkzeug compiles the rule: one for each segment,
        and one for everything from a `path` variable to the end."""
        segment = most = 0
        crosses = False
        for part in self.parts:
            if isinstance(part, Variable):
                segment += 1
                crosses = crosses or part.crosses_slashes
            elif "/" in part and not crosses:
                most, segment = max(most, segment), 0
        return Crowding(most, segment) if crosses else Crowding(max(most, segment), 0)


REMEMBERED = 256
"""The size of the cache of `read_rule`. Each rule is read five times until it is served (in the folder and in its
release, by itself and compared with the others, and for the routes), and werkzeug takes a millisecond each time."""


@dataclass(frozen=True, slots=True)
class Crowding:
    """The largest number of variables in one segment, and the number from the first `path` variable's segment to the
    end."""

    in_segment: int
    in_tail: int


@lru_cache(maxsize=REMEMBERED)
def read_rule(path: str) -> RulePath:
    """Check a rule and take it apart. Raises `RuleProblem` if werkzeug, or endpointd, cannot serve it."""
    merged = re.sub("/{2,}", "/", path)
    _check_text(path)
    _check_names(path, [match["name"] for match in _VARIABLE.finditer(merged)])
    bound = _bound(path)
    parts: list[str | Variable] = []
    end = 0
    for match in _VARIABLE.finditer(merged):
        if match.start() > end:
            parts.append(merged[end : match.start()])
        parts.append(_variable(bound, path, match))
        end = match.end()
    if end < len(merged):
        parts.append(merged[end:])
    return RulePath(tuple(parts))


def _check_text(path: str) -> None:
    if not path.startswith("/"):
        raise RuleProblem("path_slash", f"{shown(path)} does not begin with '/'", f'write "/{path[:40]}"')
    if len(path) > MAX_RULE or path.count("/") > MAX_SEGMENTS:
        message = f"the path is longer than {MAX_RULE} characters or {MAX_SEGMENTS} segments"
        raise RuleProblem("path_too_long", message, "shorten it")


def _check_names(path: str, names: list[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        message = f"{shown(path)} has more than one variable called {shown(twice[0])}"
        raise RuleProblem("path_variable_twice", message, "give each variable a name of its own")


def _bound(path: str) -> Rule:
    """The rule as werkzeug builds it."""

    def made() -> Rule:
        rule = Rule(path, endpoint=0)
        Map([rule])
        return rule

    try:
        rule = compiled(made)
    except LookupError as error:
        known = ", ".join(sorted(Map.default_converters.keys() - {"default"}))
        reason = f"{shown(path)}: {error.args[0] if error.args else error}"
        raise RuleProblem("path_converter", reason, f"use one of {known}") from None
    except _REFUSALS as error:
        raise _refused(path, error) from None
    return rule


def _variable(bound: Rule, path: str, match: re.Match[str]) -> Variable:
    try:
        args, kwargs = parse_converter_args(match["arguments"] or "")
        converter = bound.get_converter(match["name"], match["converter"] or "default", args, kwargs)
        re.compile(converter.regex)
    except _REFUSALS as error:
        raise _refused(path, error) from None
    return Variable(match["name"], converter.regex, not converter.part_isolating)


def _refused(path: str, error: Exception) -> RuleProblem:
    message = f"{shown(path)} is not a werkzeug rule: {error}"
    return RuleProblem("path_invalid_rule", message, 'write variables as "<name>" or "<converter:name>"')
