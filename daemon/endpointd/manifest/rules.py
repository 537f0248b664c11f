"""What an interface's path says: a werkzeug rule, checked by werkzeug, and the questions routing asks of it."""

import re
from dataclasses import dataclass
from functools import lru_cache

from werkzeug.routing import Map, Rule
from werkzeug.routing.rules import parse_converter_args

from endpointd.manifest.compiling import compiled
from endpointd.manifest.findings import shown

# A match recurses once for each segment of a rule.
MAX_SEGMENTS = 100
MAX_RULE = 1024

_VARIABLE = re.compile(
    r"<(?:(?P<converter>[a-zA-Z_]\w*)(?:\((?P<arguments>.*?)\))?:)?(?P<name>[a-zA-Z_]\w*)>", re.ASCII
)
# What werkzeug lets escape from a rule or a converter it cannot build.
_REFUSALS = (ValueError, LookupError, TypeError, AttributeError, SyntaxError, OverflowError, re.error)


class RuleProblem(ValueError):
    """The path is not a rule. `code` is stable, `message` says why, `remedy` what to write."""

    def __init__(self, code: str, message: str, remedy: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable of a rule: what it matches, and whether that may contain a slash."""

    name: str
    regex: str
    crosses_slashes: bool


@dataclass(frozen=True, slots=True)
class RulePath:
    """A rule taken apart into literal text, with its slashes merged, and variables."""

    parts: tuple[str | Variable, ...]

    @property
    def literal(self) -> str | None:
        """The one path the rule matches, or None if it has variables."""
        texts = [part for part in self.parts if isinstance(part, str)]
        return "".join(texts) if len(texts) == len(self.parts) else None

    @property
    def shape(self) -> tuple[str, ...]:
        """What the rule matches, whatever its variables are called: equal shapes match the same paths."""
        return tuple(part if isinstance(part, str) else f"<{part.regex}>" for part in self.parts)

    @property
    def crowding(self) -> "Crowding":
        """How many variables have to share the text that one regular expression is matched against."""
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
"""Rules that need not be read again. Each is read five times until it is served (in the folder and in its release, by
itself and beside the others, and for the routes), and werkzeug takes a millisecond for each."""


@dataclass(frozen=True, slots=True)
class Crowding:
    """The most variables in one segment, and those from a `path` variable's segment to the end."""

    in_segment: int
    in_tail: int


@lru_cache(maxsize=REMEMBERED)
def read_rule(path: str) -> RulePath:
    """The rule taken apart; RuleProblem where werkzeug, or we, would not serve it."""
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
