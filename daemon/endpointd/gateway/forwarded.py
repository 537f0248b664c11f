"""Finds a request's client in the headers of trusted proxies (RFC 7239, or the older `X-Forwarded-*`). Pure.

A header is read from its end, because each proxy appends the address from which it was called. Everything before the
first address that is not a trusted proxy's may have been forged, and must not prevent the entries behind it from being
read. A proxy that names a client is never taken for the client itself.

Only one family of headers is believed, the one that the proxies are known to write. They pass on headers of the other
family as the client sent them.
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
"""How many characters of such a header are read, counted from its end, which the nearest proxies wrote."""

_SCHEMES = {"http": "http", "https": "https", "ws": "http", "wss": "https"}
"""The schemes that a proxy may name, and what they mean here. WebSocket requests are answered as plain requests."""

_HOST = re.compile(r"(?:\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,253})(?::[0-9]{1,5})?")
_NODE = re.compile(r"(?:\[([^\[\]]+)\]|([0-9.]+))(?::(?:([0-9]{1,5})|_[0-9A-Za-z._-]+))?")
_PORT_MOST = 65_535
_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_PAIR = re.compile(rf'[ \t]*(?:({_TOKEN})=(?:({_TOKEN})|"((?:[^"\\]|\\.)*)")[ \t]*)?(;|\Z)')
_ESCAPED = re.compile(r"\\(.)")


class Told(NamedTuple):
    """What a proxy says about a request; None for each part about which it says nothing."""

    client: Client | None
    scheme: str | None
    host: str | None


NOTHING = Told(None, None, None)

UNKNOWN: Client = ("unknown", 0)
"""A client whose address its proxy does not name, or not in a valid form."""


@dataclass(frozen=True, slots=True)
class Proxies:
    """The trusted proxies. `unix`: whether everybody who connects over a unix socket is trusted. `family` is the family
    of headers that they write."""

    networks: Sequence[IPv4Network | IPv6Network]
    unix: bool
    family: Family

    def trusts(self, peer: Client | None) -> bool:
        """Whether the peer of a connection is a trusted proxy. `peer` is None for a unix socket."""
        return self.unix if peer is None else self._has(peer[0])

    def tell(self, headers: Headers) -> Told:
        """What the headers of a request from a trusted peer say about the nearest client that is not a trusted proxy;
        if all are, about the farthest. Raises `ValueError` if the header is so malformed that the part which the proxy
        wrote cannot be told from what its client wrote."""
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
    """The address, converted to IPv4 if it is an IPv4-mapped IPv6 address, as sockets for both families have them."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def read_node(text: str) -> Client | None:
    """Read `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1` or `[2001:db8::1]:80` into address and port (0 if there is none).
    Returns None for everything else, such as "unknown" and obfuscated names (`_x`)."""
    found = _NODE.fullmatch(text)
    address, port = (found[1] or found[2], int(found[3] or 0)) if found else (text, 0)
    if port > _PORT_MOST or "%" in address:
        return None
    try:
        return str(plain(ip_address(address))), port
    except ValueError:
        return None


def elements_from_end(text: str) -> Iterator[dict[str, str]]:
    """The elements of a `Forwarded` header, the last one first, with names in lower case (RFC 7239 §4). Raises
    `ValueError` on reaching a malformed one.

    Quoted strings may contain commas, so an element begins after the nearest comma from which it can be parsed to its
    end. That is never a comma within quotes, because from there on the number of quotes is odd.
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
    """Parse `text[place:end]` as one element, which may be empty. Returns None if it is malformed."""
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
    """What each proxy says in the `Forwarded` header, the nearest one first."""
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
    """What each proxy says in `X-Forwarded-*` headers, the nearest one first. A proxy that names no client may still
    say with which scheme and host it was called."""
    text = _end_of(headers, b"x-forwarded-for")
    nodes = _split(text or "") or [""]
    schemes = _split(_end_of(headers, b"x-forwarded-proto") or "")
    hosts = _split(_end_of(headers, b"x-forwarded-host") or "")
    for place in range(len(nodes) - 1, -1, -1):
        client = None if text is None else read_node(nodes[place]) or UNKNOWN
        yield Told(client, _scheme(_beside(schemes, nodes, place)), _host(_beside(hosts, nodes, place)))


def _end_of(headers: Headers, wanted: bytes) -> str | None:
    """A header's value; if it is longer than `LONGEST`, only its end, beginning after a comma. None if there is no such
    header. Several headers are joined with commas (RFC 9110 §5.3)."""
    values = [value.decode("latin-1") for name, value in headers if name == wanted]
    if not values:
        return None
    text = ",".join(values)
    return text if len(text) <= LONGEST else text[-LONGEST:].partition(",")[2]


def _split(text: str) -> list[str]:
    return [part for each in text.split(",") if (part := each.strip(" \t"))]


def _beside(values: Sequence[str], nodes: Sequence[str], place: int) -> str:
    """The value that belongs to the node at `place`: that at the same place if both lists have the same length, else
    the last one, which is the nearest proxy's."""
    if not values:
        return ""
    return values[place] if len(values) == len(nodes) else values[-1]


def _scheme(text: str) -> str | None:
    return _SCHEMES.get(text.lower())


def _host(text: str) -> str | None:
    return text if _HOST.fullmatch(text) else None
