"""Whom a request comes from, as a trusted proxy tells it (RFC 7239, or the older `X-Forwarded-*`). Pure.

A header is read from its end: each proxy appends whom it saw, so what stands before the entry of the first one that is
not trusted was written by somebody who may write what they like.

Only one family of headers is believed, the one that the proxies are known to write. A proxy that writes one of them
passes the other one on as its client sent it.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Literal, NamedTuple

Family = Literal["x-forwarded", "forwarded"]
Headers = Iterable[tuple[bytes, bytes]]
Client = tuple[str, int]

LONGEST = 8192
"""Characters of such headers that are looked at; of longer ones nothing is believed."""

_SCHEMES = {"http": "http", "https": "https", "ws": "http", "wss": "https"}
"""What a proxy may call a scheme. An Upgrade request is answered as if it asked for none."""

_HOST = re.compile(r"(?:\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,253})(?::[0-9]{1,5})?")
_NODE = re.compile(r"(?:\[([^\[\]]+)\]|([0-9.]+))(?::(?:([0-9]{1,5})|_[0-9A-Za-z._-]+))?")
_PORT_MOST = 65_535
_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_PAIR = re.compile(rf'[ \t]*(?:({_TOKEN})=(?:({_TOKEN})|"((?:[^"\\]|\\.)*)")[ \t]*)?([;,]|$)')
_ESCAPED = re.compile(r"\\(.)")


class Told(NamedTuple):
    """What is known of the client of a request; None where nothing was said that can be believed."""

    client: Client | None
    scheme: str | None
    host: str | None


NOTHING = Told(None, None, None)


@dataclass(frozen=True, slots=True)
class Proxies:
    """Who is believed. `unix`: whoever connects over a unix socket."""

    networks: Sequence[IPv4Network | IPv6Network]
    unix: bool
    family: Family

    def trusts(self, peer: Client | None) -> bool:
        """Whether the one who has connected is a proxy; None is the peer of a unix socket."""
        return self.unix if peer is None else self._has(peer[0])

    def tell(self, headers: Headers) -> Told:
        """What the headers of a request say that a trusted peer has sent."""
        if self.family == "forwarded":
            return self._of_forwarded(_joined(headers, b"forwarded"))
        return self._of_x_forwarded(headers)

    def _of_forwarded(self, text: str) -> Told:
        elements = parse_forwarded(text)
        if not elements:
            return NOTHING
        place, client = self._walk([element.get("for", "") for element in elements])
        element = elements[place]
        return Told(client, _SCHEMES.get(element.get("proto", "").lower()), _host(element.get("host", "")))

    def _of_x_forwarded(self, headers: Headers) -> Told:
        nodes = _split(_joined(headers, b"x-forwarded-for"))
        place, client = self._walk(nodes) if nodes else (-1, None)
        schemes = _split(_joined(headers, b"x-forwarded-proto"))
        hosts = _split(_joined(headers, b"x-forwarded-host"))
        scheme = _SCHEMES.get(_beside(schemes, nodes, place).lower())
        return Told(client, scheme, _host(_beside(hosts, nodes, place)))

    def _walk(self, nodes: Sequence[str]) -> tuple[int, Client | None]:
        """The place and the address of the nearest that is no proxy; where all are, of the farthest. Before one that
        cannot be understood the way ends: the client is the proxy that has named it."""
        best: tuple[int, Client | None] = (len(nodes) - 1, None)
        for place in range(len(nodes) - 1, -1, -1):
            client = read_node(nodes[place])
            if client is None:
                return best
            best = place, client
            if not self._has(client[0]):
                break
        return best

    def _has(self, address: str) -> bool:
        try:
            found = plain(ip_address(address.partition("%")[0]))
        except ValueError:
            return False
        return any(found in network for network in self.networks)


def plain(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """An IPv4 address that a socket for both families shows as one of IPv6 is still one of IPv4."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def read_node(text: str) -> Client | None:
    """Address and port (0: none was said) of `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]:80`; None for
    all else, "unknown" and hidden names (`_x`) among it."""
    found = _NODE.fullmatch(text)
    address, port = (found[1] or found[2], int(found[3] or 0)) if found else (text, 0)
    if port > _PORT_MOST or "%" in address:
        return None
    try:
        return str(plain(ip_address(address))), port
    except ValueError:
        return None


def parse_forwarded(text: str) -> list[dict[str, str]]:
    """The elements of a `Forwarded` header, names in lower case (RFC 7239 §4); nothing when any of it is malformed,
    because then it cannot be told where an element ends."""
    elements: list[dict[str, str]] = [{}]
    place = 0
    while place < len(text):
        found = _PAIR.match(text, place)
        if found is None or found.end() == place:
            return []
        name, token, quoted, separator = found.groups()
        if name is not None:
            key = name.lower()
            if key in elements[-1]:
                return []
            elements[-1][key] = token if token is not None else _ESCAPED.sub(r"\1", quoted)
        if separator == ",":
            elements.append({})
        place = found.end()
    # Empty elements of a list mean nothing (RFC 9110 §5.6.1).
    return [element for element in elements if element]


def _joined(headers: Headers, wanted: bytes) -> str:
    """A header that is there several times is one, with commas between (RFC 9110 §5.3)."""
    text = ",".join([value.decode("latin-1") for name, value in headers if name == wanted])
    return text if len(text) <= LONGEST else ""


def _split(text: str) -> list[str]:
    return [part for each in text.split(",") if (part := each.strip(" \t"))]


def _beside(values: Sequence[str], nodes: Sequence[str], place: int) -> str:
    """The value of the proxy that has named the client: of a list as long as that of the nodes the one beside it, else
    of the nearest proxy."""
    if not values:
        return ""
    return values[place] if len(values) == len(nodes) else values[-1]


def _host(text: str) -> str | None:
    return text if _HOST.fullmatch(text) else None
