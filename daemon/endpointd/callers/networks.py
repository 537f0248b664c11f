"""The networks whose clients may call: parsing what operators write, and checking clients' addresses. Pure."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Literal, TypeAlias

ANY = "any"
"""All clients."""
UNIX: Literal["unix"] = "unix"
"""Clients on a unix socket, which have no address."""
UNKNOWN: Literal["unknown"] = "unknown"
"""Clients for which a trusted proxy gives no address. Only "any" includes them."""

_MAPPED = IPv6Network("::ffff:0:0/96")
"""IPv4-mapped IPv6 addresses (RFC 4291 §2.5.5.2), as seen on a socket for both families."""
_HALF = 64
"""The number of leading bits of an IPv6 address that identify a client. Clients choose the others themselves, and
change them often."""

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network
Caller: TypeAlias = Address | Literal["unix", "unknown"]


def read_network(text: str) -> str:
    """Normalize a network or an address: "192.0.2.0/24", "2001:db8::/32", "192.0.2.1", "any" or "unix". Raises
    ValueError with the reason if it is invalid."""
    word = text.strip()
    if word.lower() in (ANY, UNIX):
        return word.lower()
    try:
        # An IPv6 zone ("%eth0") is refused: it is a name on this machine, and clients' addresses are compared without.
        network = ip_network(word.replace("%", "?"), strict=False)
    except ValueError:
        raise ValueError("it is no address and no network") from None
    if "/" in word and network.network_address != ip_address(word.partition("/")[0]):
        raise ValueError(f"the network that this address is in is {network}")
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        network = IPv4Network((int(network.network_address) & 0xFFFFFFFF, network.prefixlen - 96))
    return str(network.network_address) if network.num_addresses == 1 else str(network)


def read_caller(client: str | None) -> Caller:
    """Parse the address of a client. IPv4-mapped addresses become IPv4 addresses. None is a client on a unix socket."""
    if client is None:
        return UNIX
    try:
        address = ip_address(client.partition("%")[0])
    except ValueError:
        return UNKNOWN
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def key_of(caller: Caller) -> str:
    """The key under which a client's requests are counted: its IPv4 address, or the /64 of its IPv6 address. All
    clients on unix sockets have the same key, and so have all unknown ones."""
    return f"{int(caller) >> _HALF:x}" if isinstance(caller, IPv6Address) else str(caller)


class Networks:
    """A list of networks, each as returned by `read_network`."""

    def __init__(self, texts: Iterable[str]) -> None:
        words = set(texts)
        self._unix = UNIX in words
        self._any = ANY in words
        self._networks: tuple[Network, ...] = tuple(ip_network(word) for word in sorted(words - {UNIX, ANY}))

    def has(self, caller: Caller) -> bool:
        if isinstance(caller, str):
            return self._any or (caller == UNIX and self._unix)
        return self._any or any(caller in network for network in self._networks)
