"""Whom a request comes from, as a trusted proxy tells it (RFC 7239, or the older `X-Forwarded-*`). Pure.

A header is read from its end: each proxy appends whom it saw, so what stands before the entry of the first one that is
not trusted was written by somebody who may write what they like, and keeps nothing behind it from being read. A proxy
that names somebody is never taken for the client itself.

Only one family of headers is believed, the one that the proxies are known to write. A proxy that writes one of them
passes the other one on as its client sent it.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Literal, NamedTuple

Family = Literal["x-forwarded", "forwarded"]
Headers = Iterable[tuple[bytes, bytes]]
Client = tuple[str, int]

LONGEST = 8192
"""Characters of such headers that are looked at: the last ones, which the nearest proxies wrote."""

_SCHEMES = {"http": "http", "https": "https", "ws": "http", "wss": "https"}
"""What a proxy may call a scheme. An Upgrade request is answered as if it asked for none."""

_HOST = re.compile(r"(?:\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,253})(?::[0-9]{1,5})?")
_NODE = re.compile(r"(?:\[([^\[\]]+)\]|([0-9.]+))(?::(?:([0-9]{1,5})|_[0-9A-Za-z._-]+))?")
_PORT_MOST = 65_535
_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_PAIR = re.compile(rf'[ \t]*(?:({_TOKEN})=(?:({_TOKEN})|"((?:[^"\\]|\\.)*)")[ \t]*)?(;|\Z)')
_ESCAPED = re.compile(r"\\(.)")


class Told(NamedTuple):
    """What is known of the client of a request; None where nothing was said that can be believed."""

    client: Client | None
    scheme: str | None
    host: str | None


NOTHING = Told(None, None, None)

UNKNOWN: Client = ("unknown", 0)
"""A client that its proxy does not name, or not in a way that can be understood: it has no address."""


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
        """What the headers of a request say that a trusted peer has sent: of the nearest that is no proxy; where all
        are, of the farthest. Raises `ValueError`: what a proxy wrote cannot be told from what its client did."""
        told = NOTHING
        for told in _of_forwarded(headers) if self.family == "forwarded" else _of_x_forwarded(headers):
            if told.client is None or not self._has(told.client[0]):
                break
        return told

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


def elements_from_end(text: str) -> Iterator[dict[str, str]]:
    """The elements of a `Forwarded` header, the last one first, names in lower case (RFC 7239 §4). Raises `ValueError`
    when it comes to one that is malformed.

    Commas may stand within quotes, so an element begins behind the nearest comma from which on it can be read to its
    end. That is never one within its quotes: from there on, their number is odd.
    """
    end = begin = len(text)
    while end >= 0:
        begin = text.rfind(",", 0, begin) + 1
        element = _element(text, begin, end)
        if element is not None:
            end = begin = begin - 1
            # Empty elements of a list mean nothing (RFC 9110 §5.6.1).
            if element:
                yield element
        elif begin == 0:
            raise ValueError("an element is malformed")
        else:
            begin -= 1


def _element(text: str, place: int, end: int) -> dict[str, str] | None:
    """What stands between these places as one element, which may be empty; None when it is none."""
    element: dict[str, str] = {}
    while found := _PAIR.match(text, place, end):
        name, token, quoted, separator = found.groups()
        if name is not None:
            key = name.lower()
            if key in element:
                return None
            element[key] = token if token is not None else _ESCAPED.sub(r"\1", quoted)
        if not separator:
            return element
        place = found.end()
    return None


def _of_forwarded(headers: Headers) -> Iterator[Told]:
    """What each proxy says, the nearest one first."""
    text = _end_of(headers, b"forwarded")
    if text is None:
        return
    is_empty = True
    for element in elements_from_end(text):
        is_empty = False
        client = read_node(element.get("for", "")) or UNKNOWN
        yield Told(client, _scheme(element.get("proto", "")), _host(element.get("host", "")))
    if is_empty:
        yield Told(UNKNOWN, None, None)


def _of_x_forwarded(headers: Headers) -> Iterator[Told]:
    """The same. A proxy that names nobody may still say the scheme and the host that it was asked with itself."""
    text = _end_of(headers, b"x-forwarded-for")
    nodes = _split(text or "") or [""]
    schemes = _split(_end_of(headers, b"x-forwarded-proto") or "")
    hosts = _split(_end_of(headers, b"x-forwarded-host") or "")
    for place in range(len(nodes) - 1, -1, -1):
        client = None if text is None else read_node(nodes[place]) or UNKNOWN
        yield Told(client, _scheme(_beside(schemes, nodes, place)), _host(_beside(hosts, nodes, place)))


def _end_of(headers: Headers, wanted: bytes) -> str | None:
    """The end of a header, from one of its commas on when it is longer; None when there is no such header. One that is
    there several times is one, with commas between (RFC 9110 §5.3)."""
    values = [value.decode("latin-1") for name, value in headers if name == wanted]
    if not values:
        return None
    text = ",".join(values)
    return text if len(text) <= LONGEST else text[-LONGEST:].partition(",")[2]


def _split(text: str) -> list[str]:
    return [part for each in text.split(",") if (part := each.strip(" \t"))]


def _beside(values: Sequence[str], nodes: Sequence[str], place: int) -> str:
    """The value of the proxy that has named the client: of a list as long as that of the nodes the one beside it, else
    of the nearest proxy."""
    if not values:
        return ""
    return values[place] if len(values) == len(nodes) else values[-1]


def _scheme(text: str) -> str | None:
    return _SCHEMES.get(text.lower())


def _host(text: str) -> str | None:
    return text if _HOST.fullmatch(text) else None
