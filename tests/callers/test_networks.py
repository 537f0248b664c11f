"""From which addresses an endpoint may be called."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from endpointd.callers.networks import Networks, key_of, read_caller, read_network


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("192.0.2.0/24", "192.0.2.0/24"),
        (" 192.0.2.7 ", "192.0.2.7"),
        ("192.0.2.7/32", "192.0.2.7"),
        ("2001:DB8::/32", "2001:db8::/32"),
        ("::ffff:192.0.2.0/120", "192.0.2.0/24"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("UNIX", "unix"),
        ("any", "any"),
        ("0.0.0.0/0", "0.0.0.0/0"),
    ],
)
def test_networks_are_kept_in_one_way(text: str, kept: str) -> None:
    assert read_network(text) == kept == read_network(kept)


@pytest.mark.parametrize(
    "text", ["", "x", "192.0.2", "192.0.2.0/33", "example.com", "fe80::1%eth0", "10.0.0.0-10.1.0.0"]
)
def test_what_is_no_network_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no address and no network"):
        read_network(text)


def test_an_address_in_a_networks_place_is_told_the_network() -> None:
    with pytest.raises(ValueError, match=r"192\.0\.2\.0/24"):
        read_network("192.0.2.7/24")


@given(st.lists(st.ip_addresses(network="192.0.2.0/24") | st.ip_addresses(v=6)), st.ip_addresses(), st.integers(0, 32))
def test_an_address_is_in_a_list_when_it_is_in_one_of_its_networks(
    addresses: list[IPv4Address | IPv6Address], client: IPv4Address | IPv6Address, bits: int
) -> None:
    texts = [read_network(str(ip_network(f"{one}/{bits}", strict=False))) for one in addresses]
    address = read_caller(str(client))
    assert Networks(texts).has(address) == any(address in ip_network(text) for text in texts)


def test_who_comes_over_a_unix_socket_is_named_so() -> None:
    assert not Networks(["0.0.0.0/0", "::/0"]).has(read_caller(None))
    assert Networks(["unix"]).has(read_caller(None))
    assert not Networks(["unix"]).has(ip_address("192.0.2.1"))
    assert Networks(["any"]).has(read_caller(None))


def test_who_is_unknown_is_in_no_network_and_on_no_unix_socket() -> None:
    for client in ("unknown", "", "nonsense"):
        assert not Networks(["unix", "0.0.0.0/0", "::/0"]).has(read_caller(client))
        assert Networks(["any"]).has(read_caller(client))
        assert key_of(read_caller(client)) != key_of(read_caller(None))


def test_an_ipv4_address_is_one_whatever_socket_it_comes_by() -> None:
    assert read_caller("::ffff:192.0.2.1") == IPv4Address("192.0.2.1")
    assert read_caller("fe80::1%eth0") == IPv6Address("fe80::1")


def test_an_ipv6_client_is_counted_by_its_network() -> None:
    assert key_of(read_caller("2001:db8::1")) == key_of(read_caller("2001:db8::ffff:1"))
    assert key_of(read_caller("2001:db8:0:1::1")) != key_of(read_caller("2001:db8::1"))
    assert key_of(read_caller("192.0.2.1")) != key_of(read_caller("192.0.2.2"))
