"""Addresses to listen on, as operators write them. Pure."""

import re
from collections.abc import Iterable
from ipaddress import AddressValueError, IPv6Address

UNIX = "unix:"
"""The prefix of an address that is the path of a unix socket."""

_MAX_PORT = 65_535
_LISTEN = re.compile(r"(?:\[(?P<ipv6>[^\[\]]+)\]|(?P<host>[^\[\]:/\s]+)):(?P<port>[0-9]{1,5})")


def split_listen(text: str) -> tuple[str, int]:
    """Split "host:port" or "[ipv6]:port" into the host (without brackets) and the port. Raises ValueError."""
    found = _LISTEN.fullmatch(text)
    if found is None:
        raise ValueError("an address is a host, a colon and a port")
    if found["ipv6"] is not None:
        try:
            IPv6Address(found["ipv6"])
        except AddressValueError as error:
            raise ValueError(f"not an IPv6 address: {error}") from error
    port = int(found["port"])
    if port > _MAX_PORT:
        raise ValueError(f"a port is at most {_MAX_PORT}")
    return found["ipv6"] or found["host"], port


def is_for_ipv6_alone(address: str, addresses: Iterable[str]) -> bool:
    """Whether a socket for `address` must be restricted to IPv6: `address` is an IPv6 address, and `addresses` has an
    IPv4 address or host name with the same port. Without the restriction `[::]` would take IPv4 connections too, so
    that listening on the other address would fail."""
    if not address.startswith("["):
        return False
    port = split_listen(address)[1]
    others = [split_listen(other)[1] for other in addresses if not other.startswith(("[", UNIX))]
    return port != 0 and port in others
