"""For *Try it*: the interfaces that can be tried, and the request that is made from a submitted form. Pure.

Requests can only go to the interfaces that are shown: the path is an interface's rule with its variables filled in, and
no value of a variable can lead to another path.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from endpointd.manifest.values import Fault
from endpointd.plugins.status import InterfaceStatus

_VARIABLE = re.compile(r"<(?:(?P<converter>[a-zA-Z_]\w*)(?:\(.*?\))?:)?(?P<name>[a-zA-Z_]\w*)>")
_HEADER_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_HOST_OWNED = frozenset(
    ["host", "content-length", "transfer-encoding", "connection", "keep-alive", "upgrade", "te", "trailer", "expect"]
)

WITH_BODY = frozenset(["POST", "PUT", "DELETE", "OPTIONS"])


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable in an interface's path. `spans`: its value may contain slashes."""

    name: str
    converter: str
    spans: bool


@dataclass(frozen=True, slots=True)
class Target:
    """One interface at one endpoint. `url` is complete, `path` is the part after the base; both contain the rule's
    variables."""

    number: int
    method: str
    url: str
    path: str
    variables: tuple[Variable, ...]

    @property
    def has_body(self) -> bool:
        return self.method in WITH_BODY


@dataclass(frozen=True, slots=True)
class Attempt:
    """A request to be sent. `path` is encoded, and includes the query."""

    method: str
    path: bytes
    headers: tuple[tuple[str, str], ...]
    body: bytes


class AttemptInvalid(Exception):
    """No request can be made from the submitted form."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("; ".join(map(str, faults)))
        self.faults = tuple(faults)


def targets_of(urls: Sequence[InterfaceStatus], base: str) -> list[Target]:
    """The targets for interfaces. `base` is the base of their URLs."""
    return [_target(number, one, base) for number, one in enumerate(urls)]


def _target(number: int, interface: InterfaceStatus, base: str) -> Target:
    path = interface.url.removeprefix(base)
    found = dict.fromkeys((one["name"], one["converter"] or "string") for one in _VARIABLE.finditer(path))
    variables = tuple(Variable(name, converter, converter == "path") for name, converter in found)
    return Target(number, interface.method, interface.url, path, variables)


def attempt(target: Target, form: Mapping[str, str]) -> Attempt:
    """The request to `target` that a submitted form describes. Raises `AttemptInvalid`."""
    faults: list[Fault] = []
    values = {one.name: _filled(one, form.get(f"path.{one.name}", ""), faults) for one in target.variables}
    headers = _headers(form.get("headers", ""), faults)
    path = _VARIABLE.sub(lambda found: values[found["name"]], target.path)
    query = quote(form.get("query", "").strip().removeprefix("?"), safe="!$%&'()*+,-./:;=?@_~")
    body = form.get("body", "").replace("\r\n", "\n").encode() if target.has_body else b""
    if body and not any(name.lower() == "content-type" for name, _ in headers):
        headers.append(("Content-Type", _type(form.get("content_type", ""), faults)))
    if faults:
        raise AttemptInvalid(faults)
    # A rule may contain non-ASCII characters, which are encoded; "%" is safe, so that the values are not encoded twice.
    written = quote(path, safe="!$%&'()*+,-./:;=@_~")
    return Attempt(target.method, f"{written}?{query}".encode() if query else written.encode(), tuple(headers), body)


def _filled(variable: Variable, value: str, faults: list[Fault]) -> str:
    key = f"path.{variable.name}"
    if not value:
        faults.append(Fault(key, "path_incomplete", "the path needs it", "fill it in"))
    elif {".", ".."} & set(value.split("/")):
        faults.append(Fault(key, "path_leaves", "it leads to another path", "leave out the parts '.' and '..'"))
    return quote(value, safe="!$&'()*+,-.:;=@_~/" if variable.spans else "!$&'()*+,-.:;=@_~")


def _type(text: str, faults: list[Fault]) -> str:
    if not _is_sendable(text):
        message = "the type of the body cannot be the value of a header"
        faults.append(Fault("content_type", "header_malformed", message, "write one such as 'application/json'"))
    return text.strip() or "application/json"


def _headers(text: str, faults: list[Fault]) -> list[tuple[str, str]]:
    headers = []
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        if not line.strip():
            continue
        name, colon, value = line.partition(":")
        if not colon or not _HEADER_NAME.fullmatch(name.strip()) or not _is_sendable(value):
            message = f"line {number} is no header"
            faults.append(
                Fault("headers", "header_malformed", message, "write one a line, such as 'Accept: text/html'")
            )
        elif name.strip().lower() in _HOST_OWNED:
            message = f"{name.strip()} is the console's own"
            faults.append(Fault("headers", "header_reserved", message, "leave it out"))
        else:
            headers.append((name.strip(), value.strip()))
    return headers


def _is_sendable(value: str) -> bool:
    return all((" " <= character <= "ÿ" and character != "\x7f") or character == "\t" for character in value)
