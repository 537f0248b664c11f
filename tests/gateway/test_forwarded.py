"""What a proxy says of a client: read as it was written, believed as far as it can be, and harmless whatever it is."""

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from endpointd.gateway.forwarded import LONGEST, NOTHING, UNKNOWN, Family, Proxies, Told, elements_from_end, read_node

INSIDE = [ip_network("10.0.0.0/8"), ip_network("fd00::/8")]
TOKEN = "!#$%&'*+-.^_`|~09azAZ"

nodes = st.ip_addresses().map(lambda address: f"[{address}]" if address.version == 6 else str(address))
outside = st.ip_addresses(v=4).filter(lambda address: address not in INSIDE[0])
within = st.ip_addresses(network="10.0.0.0/8")
texts = st.text(st.characters(codec="latin-1", exclude_characters="\r\n\0"))


def proxies(family: Family = "x-forwarded") -> Proxies:
    return Proxies(INSIDE, unix=True, family=family)


def told(family: Family = "x-forwarded", **headers: str) -> Told:
    names = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
    return proxies(family).tell(names)


def quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


@given(
    st.lists(st.dictionaries(st.text(TOKEN, min_size=1).map(str.lower), texts, min_size=1), min_size=1),
    st.sampled_from(["", " ", "\t "]),
)
def test_what_was_written_is_read(elements: list[dict[str, str]], space: str) -> None:
    written = f"{space},{space}".join(
        f"{space};{space}".join(f"{name.upper()}={quoted(value)}" for name, value in element.items())
        for element in elements
    )
    assert list(elements_from_end(written)) == elements[::-1]


@given(st.text(TOKEN + '=;, \t"\\') | texts)
def test_whatever_is_written_harms_nobody(text: str) -> None:
    for family in ("x-forwarded", "forwarded"):
        names = [(name, text.encode("latin-1")) for name in (b"forwarded", b"x-forwarded-for", b"x-forwarded-host")]
        try:
            seen = proxies(family).tell(names)
        except ValueError:
            assert family == "forwarded"
            continue
        assert seen.client is not None
        assert seen.scheme in (None, "http", "https")
        assert seen.host is None or not set(seen.host) & set(' "/\\@,;')


@pytest.mark.parametrize(
    "text",
    ["for", "for=", "for=a b", 'for="a', 'for="a"b', "for=a;for=b", "for=a=b", "=a", "for =a", "for= a", "for=a\\"],
)
def test_what_is_malformed_is_an_error_where_it_counts(text: str) -> None:
    for written in (text, "for=192.0.2.1, " + text, text + ", for=10.0.0.1"):
        with pytest.raises(ValueError, match="malformed"):
            told("forwarded", forwarded=written)
    assert told("forwarded", forwarded=text + ", for=192.0.2.1").client == ("192.0.2.1", 0)


@given(texts, outside, st.lists(within, max_size=2), texts)
def test_nothing_that_a_client_writes_keeps_its_proxy_from_being_heard(
    written: str, client: object, between: list[object], host: str
) -> None:
    """Neither what it writes into the header nor what the proxy repeats within quotes."""
    entries = [str(client), *map(str, between)]
    assert told(x_forwarded_for=", ".join([written, *entries])).client == (str(client), 0)
    forwarded = ", ".join([written, *(f"for={entry};host={quoted(host)}" for entry in entries)])
    assert told("forwarded", forwarded=forwarded).client == (str(client), 0)


@given(st.lists(nodes), outside, st.lists(within, min_size=0, max_size=4))
def test_the_client_is_the_nearest_that_is_no_proxy(before: list[str], client: object, between: list[object]) -> None:
    """Whatever a client writes, it stands before the entry that the first proxy has made for the client itself."""
    entries = [*before, str(client), *map(str, between)]
    assert told(x_forwarded_for=", ".join(entries)).client == (str(client), 0)
    forwarded = ", ".join(f'for="{entry}"' for entry in entries)
    assert told("forwarded", forwarded=forwarded).client == (str(client), 0)


def test_only_the_family_that_the_proxies_write_is_believed() -> None:
    """The other one they pass on as the client has sent it."""
    assert told(forwarded="for=6.6.6.6;proto=https;host=evil.test") == NOTHING
    assert told("forwarded", x_forwarded_for="6.6.6.6", x_forwarded_host="e.test", x_forwarded_proto="https") == NOTHING


def test_scheme_and_host_are_those_that_the_client_s_proxy_saw() -> None:
    lists = {"x_forwarded_proto": "gopher, https, http", "x_forwarded_host": "evil.test, a.test, b.test"}
    entries = "6.6.6.6, 192.0.2.1, 10.0.0.1"
    assert told("x-forwarded", x_forwarded_for=entries, **lists) == (
        ("192.0.2.1", 0),
        "https",
        "a.test",
    )
    one = 'for=6.6.6.6;host=evil.test, For="[2001:DB8::1]:4711";Proto=HTTPS;host="a.test:8443", for=10.0.0.1;proto=http'
    assert told("forwarded", forwarded=one) == (("2001:db8::1", 4711), "https", "a.test:8443")


def test_a_single_scheme_is_that_of_the_nearest_proxy() -> None:
    assert told(x_forwarded_for="6.6.6.6, 192.0.2.1", x_forwarded_proto="https").scheme == "https"


@pytest.mark.parametrize("name", ["unknown", "_hidden", "", '"', "fe80::1%eth0"])
def test_who_cannot_be_understood_is_unknown_and_not_the_proxy_that_says_so(name: str) -> None:
    for behind in ("", ", for=10.0.0.1"):
        one = f"for=6.6.6.6, for={quoted(name)};host=a.test" + behind
        assert told("forwarded", forwarded=one) == (UNKNOWN, None, "a.test")
    if name:
        for behind in ("", ", 10.0.0.1"):
            assert told(x_forwarded_for=f"6.6.6.6, {name}" + behind).client == UNKNOWN


@pytest.mark.parametrize("empty", ["", " ", ",, ,"])
def test_a_header_that_names_nobody_has_an_unknown_client_and_no_header_has_none(empty: str) -> None:
    assert told(x_forwarded_for=empty) == told("forwarded", forwarded=empty) == (UNKNOWN, None, None)
    assert told("forwarded", forwarded="proto=https") == (UNKNOWN, "https", None)
    assert told(x_forwarded_proto="https", x_forwarded_host="a.test") == (None, "https", "a.test")


@pytest.mark.parametrize("host", ["a b", "a/b", "user@a", "a,b", "", "a:b", "a:123456", "[::1", "ä", "x" * 254])
def test_what_is_no_host_is_not_believed(host: str) -> None:
    assert told("forwarded", forwarded=f"for=192.0.2.1;host={quoted(host)}").host is None


@pytest.mark.parametrize(
    ("text", "client"),
    [
        ("192.0.2.1", ("192.0.2.1", 0)),
        ("192.0.2.1:80", ("192.0.2.1", 80)),
        ("192.0.2.1:_x", ("192.0.2.1", 0)),
        ("::ffff:192.0.2.1", ("192.0.2.1", 0)),
        ("[2001:db8::1]", ("2001:db8::1", 0)),
        ("192.0.2.1:65536", None),
        ("192.0.2.256", None),
        ("[192.0.2.1", None),
    ],
)
def test_addresses_are_read(text: str, client: tuple[str, int] | None) -> None:
    assert read_node(text) == client


def test_whom_the_daemon_trusts() -> None:
    assert proxies().trusts(("10.1.2.3", 1))
    assert proxies().trusts(("::ffff:10.1.2.3", 1))
    assert proxies().trusts(None)
    assert not proxies().trusts(("192.0.2.1", 1))
    assert not proxies().trusts(("", 1))
    assert not Proxies(INSIDE, unix=False, family="forwarded").trusts(None)


@pytest.mark.parametrize("written", ["1.1.1.1,", "1", ",", 'for="', 'a="\\",', "for=1.1.1.1,"])
def test_of_a_long_header_the_end_is_read(written: str) -> None:
    """A client may write so much that its proxy's word stands far behind."""
    front = written * LONGEST
    assert told(x_forwarded_for=front + ", 192.0.2.1").client == ("192.0.2.1", 0)
    assert told("forwarded", forwarded=front + ", for=192.0.2.1;proto=https") == (("192.0.2.1", 0), "https", None)
    https = "https," * LONGEST + "http"
    assert told(x_forwarded_for=front + ", 192.0.2.1", x_forwarded_proto=https).scheme == "http"
    # What has no comma in its end is one name without a beginning.
    assert told(x_forwarded_for="1" * (LONGEST + 1)).client == UNKNOWN


def test_a_long_header_takes_no_time() -> None:
    for hostile in (" " * (LONGEST - 1) + "x", "a" * LONGEST, '"' * LONGEST, "a=b" + " " * 8000 + "x", "=" * LONGEST):
        with pytest.raises(ValueError, match="malformed"):
            told("forwarded", forwarded=hostile)
    for one in ('"', ',"', 'a="', 'a=",', ",", "a,", '\\",'):
        with pytest.raises(ValueError, match="malformed"):
            told("forwarded", forwarded=(one * LONGEST)[2 - LONGEST :] + '"x')
