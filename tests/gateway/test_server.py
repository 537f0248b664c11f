"""The listening socket."""

import socket

import pytest

from endpointd.gateway.server import bind


def test_an_address_can_be_had_only_once() -> None:
    """Also when neither of two daemons has begun to accept."""
    with bind("127.0.0.1", 0) as first, pytest.raises(OSError, match="in use"):
        bind(*first.getsockname())


def test_ipv6_takes_ipv4_along_or_leaves_it_to_another() -> None:
    try:
        both = bind("::", 0)
    except OSError as error:
        pytest.skip(f"NOT TESTED: sockets for both families; this machine has no IPv6 ({error.strerror})")
    with both:
        port = both.getsockname()[1]
        socket.create_connection(("127.0.0.1", port), 10).close()
        with pytest.raises(OSError, match="in use"):
            bind("0.0.0.0", port)
    with bind("0.0.0.0", port), bind("::", port, ipv6_alone=True):
        socket.create_connection(("::1", port), 10).close()
