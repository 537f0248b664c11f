"""Reads one interface: its path, its method, and the Python source that answers."""

import re
from collections.abc import Iterable

from endpointd.manifest.fields import Fields
from endpointd.manifest.files import FileProblem, PluginFiles, normal_path
from endpointd.manifest.findings import Place, Report, Severity, shown
from endpointd.manifest.model import METHODS, Interface
from endpointd.manifest.nodes import Items
from endpointd.manifest.rules import RuleProblem, read_rule
from endpointd.manifest.suggestions import one_of

_KEYS = ("path", "method", "hidden", "extra")
_UNUSUAL = "?#%\\"
_EXAMPLE = "extra:, below that python:, and below that source: with the path of a .py file"
_TEMPLATE = re.compile(r"\{\w+\}|/:\w+")


def read_interface(fields: Fields, files: PluginFiles) -> Interface | None:
    """The interface that a mapping describes; None, with the errors in its report, if it is invalid."""
    fields.warn_of_misspellings(_KEYS)
    path, method, source = _path(fields), _method(fields), _source(fields, files)
    hidden = fields.boolean("hidden", Severity.WARNING)
    if path is None or method is None or source is None:
        return None
    return Interface(path, method, source, hidden, fields.file, fields.place("path").line or 1)


def check_routes(report: Report, interfaces: Iterable[Interface]) -> None:
    """Report an error for each interface that could never answer, because an earlier one has the same route."""
    first: dict[tuple[tuple[str, ...], str], Interface] = {}
    for interface in interfaces:
        route = (read_rule(interface.path).shape, interface.method)
        known = first.setdefault(route, interface)
        if known is not interface:
            _same_route(report, interface, known)


def _same_route(report: Report, interface: Interface, known: Interface) -> None:
    place = Place(interface.file, interface.line, "path")
    message = (
        f"{interface.method} {shown(interface.path)} is the same route as "
        f"{known.method} {shown(known.path)} at {known.file}:{known.line}"
    )
    report.error(place, "route_twice", message, "remove one of the two, or change its path or method")


def _path(fields: Fields) -> str | None:
    path = _required(fields, "path", 'path: "/" and what follows it')
    if path is None:
        return None
    try:
        rule = read_rule(path)
    except RuleProblem as problem:
        fields.error("path", problem.code, problem.message, problem.remedy)
        return None
    literal = "".join(part for part in rule.parts if isinstance(part, str))
    for character in _UNUSUAL:
        if character in literal:
            message = f"{shown(path)} contains '{character}', and is compared with a path that is already decoded"
            fields.warning("path", "path_unusual", message, "write the path as it is after decoding, without a query")
    if found := _TEMPLATE.search(literal):
        message = f"{shown(path)} has '{found[0].lstrip('/')}', which is no variable and matches only these characters"
        fields.warning("path", "path_unusual", message, "write a variable as '<name>'")
    return path


def _method(fields: Fields) -> str | None:
    node = fields.node("method")
    if isinstance(node, Items):
        remedy = "one interface has one method: write a file for each, which may name the same source"
        fields.mistyped(Severity.ERROR, "method", "a method", node, remedy)
        return None
    method = _required(fields, "method", f"method: and one of {', '.join(METHODS)}")
    if method is None or method in METHODS:
        return method
    remedy = f"write {method.upper()}" if method.upper() in METHODS else one_of(METHODS)
    fields.error("method", "method_unknown", f"{shown(method)} is not a method of an interface", remedy)
    return None


def _source(fields: Fields, files: PluginFiles) -> str | None:
    extra = _inner(fields, "extra", "python")
    python = None if extra is None else _inner(extra, "python", "source")
    source = None if python is None else _required(python, "source", "source: and the path of a .py file")
    if python is None or source is None:
        return None
    try:
        path = normal_path(source)
        if not path.endswith(".py"):
            raise FileProblem("source_not_python", f"{shown(source)} is not a .py file", "name a Python source")
        files.check(path)
    except FileProblem as problem:
        python.error("source", problem.code, problem.message, problem.remedy)
        return None
    if "." in path.removesuffix(".py"):
        message = f"{shown(source)} has a dot in its name, so Dify cannot import it"
        python.warning("source", "source_dotted", message, "rename the file or folder")
    return path


def _inner(fields: Fields, name: str, child: str) -> Fields | None:
    inner = fields.fields(name, Severity.ERROR)
    if inner is None and fields.node(name) is None:
        is_stray = name in fields.names and child in fields.names
        example = f"'{child}' further to the right, below '{name}'" if is_stray else _EXAMPLE
        fields.missing(Severity.ERROR, name, example)
    return inner


def _required(fields: Fields, name: str, example: str) -> str | None:
    text = fields.text(name, Severity.ERROR)
    if text is None and fields.node(name) is None:
        fields.missing(Severity.ERROR, name, example)
    return text
