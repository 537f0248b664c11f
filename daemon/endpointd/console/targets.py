"""What can be tried: the interfaces of one endpoint, and the request that is made from a form. Pure.

A request goes to no other place than an interface that was shown: its path is the interface's rule with the variables
filled in, and nothing that is filled in can leave it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from endpointd.manifest.values import Fault
from endpointd.status import InterfaceStatus

_VARIABLE = re.compile(r"<(?:(?P<converter>[a-zA-Z_]\w*)(?:\(.*?\))?:)?(?P<name>[a-zA-Z_]\w*)>")
_HEADER_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_HOST_OWNED = frozenset(
    ["host", "content-length", "transfer-encoding", "connection", "keep-alive", "upgrade", "te", "trailer", "expect"]
)

WITH_BODY = frozenset(["POST", "PUT", "DELETE", "OPTIONS"])


@dataclass(frozen=True, slots=True)
class Variable:
    """A part of the path that is to be filled in; `spans` tells that it may have slashes in it."""

    name: str
    converter: str
    spans: bool


@dataclass(frozen=True, slots=True)
class Target:
    """One interface at one endpoint. `url` is whole, `path` what is behind the base; both with the rule's variables."""

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
    """A request that can be sent; `path` is encoded, and has the query behind it."""

    method: str
    path: bytes
    headers: tuple[tuple[str, str], ...]
    body: bytes


class AttemptInvalid(Exception):
    """What was filled in makes no request."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("; ".join(map(str, faults)))
        self.faults = tuple(faults)


def targets_of(urls: Sequence[InterfaceStatus], base: str) -> list[Target]:
    """`base` is what the URLs begin with."""
    return [_target(number, one, base) for number, one in enumerate(urls)]


def _target(number: int, interface: InterfaceStatus, base: str) -> Target:
    path = interface.url.removeprefix(base)
    found = dict.fromkeys((one["name"], one["converter"] or "string") for one in _VARIABLE.finditer(path))
    variables = tuple(Variable(name, converter, converter == "path") for name, converter in found)
    return Target(number, interface.method, interface.url, path, variables)


def attempt(target: Target, form: Mapping[str, str]) -> Attempt:
    """Raises `AttemptInvalid`."""
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
    # A rule may have other characters in it than ASCII's, and what is encoded in it already stays so.
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
