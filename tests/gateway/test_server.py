"""The listening socket."""

import pytest

from endpointd.gateway.server import bind


def test_an_address_can_be_had_only_once() -> None:
    """Also when neither of two daemons has begun to accept."""
    with bind("127.0.0.1", 0) as first, pytest.raises(OSError, match="in use"):
        bind(*first.getsockname())
