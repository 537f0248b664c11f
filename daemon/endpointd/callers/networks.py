"""Addresses that may call: networks as operators write them, and whether a client is in one of them. Pure."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Literal, TypeAlias

ANY = "any"
"""Everybody."""
UNIX: Literal["unix"] = "unix"
"""Whoever connects over a unix socket, who has no address."""
UNKNOWN: Literal["unknown"] = "unknown"
"""Whom a trusted proxy does not name, so that there is no address either; no network has them."""

_MAPPED = IPv6Network("::ffff:0:0/96")
"""IPv4 addresses as a socket for both families shows them (RFC 4291 §2.5.5.2)."""
_HALF = 64
"""Bits of an IPv6 address that tell who it is: the rest each client chooses as it likes, and often."""

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network
Caller: TypeAlias = Address | Literal["unix", "unknown"]


def read_network(text: str) -> str:
    """A network or an address as it is kept: "192.0.2.0/24", "2001:db8::/32", "192.0.2.1", "any" or "unix". ValueError
    says what is wrong with it."""
    word = text.strip()
    if word.lower() in (ANY, UNIX):
        return word.lower()
    try:
        # An interface's name in it is of this machine, and no client has one.
        network = ip_network(word.replace("%", "?"), strict=False)
    except ValueError:
        raise ValueError("it is no address and no network") from None
    if "/" in word and network.network_address != ip_address(word.partition("/")[0]):
        raise ValueError(f"the network that this address is in is {network}")
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        network = IPv4Network((int(network.network_address) & 0xFFFFFFFF, network.prefixlen - 96))
    return str(network.network_address) if network.num_addresses == 1 else str(network)


def read_caller(client: str | None) -> Caller:
    """Who a client is by its address, an IPv4 one never as one of IPv6; None is the other end of a unix socket."""
    if client is None:
        return UNIX
    try:
        address = ip_address(client.partition("%")[0])
    except ValueError:
        return UNKNOWN
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def key_of(caller: Caller) -> str:
    """Whose requests are counted together: those of an IPv4 address, of the /64 of an IPv6 one, of all unix sockets, of
    all who are unknown."""
    return f"{int(caller) >> _HALF:x}" if isinstance(caller, IPv6Address) else str(caller)


class Networks:
    """A list of networks, each as `read_network` gives them."""

    def __init__(self, texts: Iterable[str]) -> None:
        words = set(texts)
        self._unix = UNIX in words
        self._any = ANY in words
        self._networks: tuple[Network, ...] = tuple(ip_network(word) for word in sorted(words - {UNIX, ANY}))

    def has(self, caller: Caller) -> bool:
        if isinstance(caller, str):
            return self._any or (caller == UNIX and self._unix)
        return self._any or any(caller in network for network in self._networks)
