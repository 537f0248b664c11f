"""What the host says of a request: by whom, under which name, for which endpoint; and whom it believes."""

from pathlib import Path
from typing import Any

import pytest

from endpointd.testing import DaemonStarter, RunningDaemon
from support.raw_http import Client, ask

FORWARDED = ["X-Forwarded-For: 6.6.6.6, 203.0.113.7", "X-Forwarded-Proto: https"]


@pytest.fixture(scope="module")
def trusting(start: DaemonStarter, plugins: Path) -> RunningDaemon:
    """A daemon behind a proxy on this machine."""
    return start(plugins, trusted_proxies=["127.0.0.0/8"])


@pytest.fixture(scope="module")
def rfc_7239(start: DaemonStarter, plugins: Path) -> RunningDaemon:
    """The same, behind one that writes `Forwarded`."""
    return start(plugins, trusted_proxies=["127.0.0.1"], forwarding_headers="forwarded")


@pytest.fixture(scope="module")
def named(start: DaemonStarter, plugins: Path) -> RunningDaemon:
    """A daemon with a public name, that trusts a proxy elsewhere."""
    return start(plugins, public_url="https://hooks.example.org/under", trusted_proxies=["10.0.0.1"])


def seen(daemon: RunningDaemon, *headers: str) -> dict[str, Any]:
    answer = ask(daemon.url, "/e/lab/saw/a%2Fb?q=%20", *headers)
    assert answer.status == 200, answer
    return dict(answer.json())


def values_of(saw: dict[str, Any], name: str) -> list[str]:
    return [value for key, value in saw["headers"] if key == name]


def test_the_endpoint_is_named_by_the_host(daemon: RunningDaemon) -> None:
    saw = seen(daemon)
    assert values_of(saw, "Dify-Hook-Id") == ["lab"]
    assert values_of(saw, "Dify-Hook-Url") == ["http://daemon.test/e/lab/saw/a%2Fb"]


def test_the_endpoint_is_never_named_by_the_client(daemon: RunningDaemon) -> None:
    for spelling in (str.lower, str.upper, str.title):
        lines = [spelling("Dify-Hook-Id") + ": other", spelling("Dify-Hook-Url") + ": http://evil.test/"]
        saw = seen(daemon, *lines)
        assert values_of(saw, "Dify-Hook-Id") == ["lab"]
        assert saw["environ"]["HTTP_DIFY_HOOK_ID"] == "lab"
        assert saw["environ"]["HTTP_DIFY_HOOK_URL"] == "http://daemon.test/e/lab/saw/a%2Fb"
        assert "other" not in str(saw)
        assert "evil" not in str(saw)


def test_a_name_with_underscores_is_another_name(daemon: RunningDaemon) -> None:
    saw = seen(daemon, "Dify_Hook_Id: other")
    assert saw["environ"]["HTTP_DIFY_HOOK_ID"] == "lab"


def test_the_public_url_is_what_the_endpoint_is_known_under(named: RunningDaemon) -> None:
    saw = seen(named)
    assert values_of(saw, "Dify-Hook-Url") == ["https://hooks.example.org/under/e/lab/saw/a%2Fb"]


def test_the_peer_is_the_one_who_connected(daemon: RunningDaemon) -> None:
    with Client(daemon.url) as client:
        address, port = client.address
        saw = client.request("/e/lab/saw").json()
    assert (saw["remote_addr"], saw["environ"]["REMOTE_PORT"]) == (address, str(port))
    assert saw["environ"]["SERVER_PORT"] == str(daemon.port)
    assert saw["environ"]["wsgi.url_scheme"] == "http"
    assert saw["environ"]["SERVER_PROTOCOL"] == "HTTP/1.1"


def test_forwarding_headers_of_strangers_are_passed_on_and_not_believed(
    daemon: RunningDaemon, named: RunningDaemon
) -> None:
    for stranger in (daemon, named):
        saw = seen(stranger, *FORWARDED)
        assert saw["remote_addr"] == "127.0.0.1"
        assert saw["environ"]["wsgi.url_scheme"] == "http"
        assert values_of(saw, "X-Forwarded-For") == ["6.6.6.6, 203.0.113.7"]


def test_a_trusted_proxy_is_believed_as_far_as_it_saw(trusting: RunningDaemon) -> None:
    """What stands before the proxy's own entry came from the client, who may write there what it likes."""
    saw = seen(trusting, *FORWARDED)
    assert saw["remote_addr"] == "203.0.113.7"
    assert saw["environ"]["wsgi.url_scheme"] == "https"
    assert values_of(saw, "Dify-Hook-Url") == ["https://daemon.test/e/lab/saw/a%2Fb"]


@pytest.mark.parametrize("scheme", ["gopher", "javascript", "https, http", "", "ws"])
def test_a_scheme_that_is_none_of_http_is_not_believed(trusting: RunningDaemon, scheme: str) -> None:
    saw = seen(trusting, f"X-Forwarded-Proto: {scheme}")
    assert saw["environ"]["wsgi.url_scheme"] == "http"


def test_a_trusted_proxy_that_names_nobody_is_the_peer(trusting: RunningDaemon) -> None:
    assert seen(trusting)["remote_addr"] == "127.0.0.1"
    assert seen(trusting, "X-Forwarded-Proto: https")["remote_addr"] == "127.0.0.1"


@pytest.mark.parametrize("value", ["unknown", "[::1", "a b", "6.6.6.6:port", ",,,", "", "203.0.113.7, nobody"])
def test_whom_a_trusted_proxy_names_in_no_way_that_can_be_read_is_unknown(trusting: RunningDaemon, value: str) -> None:
    saw = seen(trusting, f"X-Forwarded-For: {value}")
    assert (saw["path"], saw["remote_addr"]) == ("/saw/a/b", "unknown")


def test_a_client_cannot_keep_its_proxy_from_being_read(trusting: RunningDaemon, rfc_7239: RunningDaemon) -> None:
    front = "127.0.0.1," * 1500
    assert seen(trusting, f"X-Forwarded-For: {front}203.0.113.7")["remote_addr"] == "203.0.113.7"
    assert seen(trusting, f"X-Forwarded-For: {front}", "X-Forwarded-For: 203.0.113.7")["remote_addr"] == "203.0.113.7"
    for written in ("x", 'for="', "for=127.0.0.1," * 1500, ","):
        saw = seen(rfc_7239, f"Forwarded: {written}, for=203.0.113.7;proto=https")
        assert (saw["remote_addr"], saw["environ"]["wsgi.url_scheme"]) == ("203.0.113.7", "https")


def test_where_a_trusted_proxy_cannot_be_read_nobody_is_answered(
    daemon: RunningDaemon, trusting: RunningDaemon, rfc_7239: RunningDaemon
) -> None:
    answer = ask(rfc_7239.url, "/e/lab/saw", "Forwarded: for=203.0.113.7, for=203.0.113.7:80")
    assert (answer.status, answer.code, answer.closes) == (400, "request_malformed", True)
    assert "Forwarded" in answer.json()["detail"]
    # Where it is not believed, it is any header.
    for other in (daemon, trusting):
        assert values_of(seen(other, "Forwarded: x"), "Forwarded") == ["x"]


def test_trailers_are_no_headers(trusting: RunningDaemon) -> None:
    """A proxy in front does not look at them, so they must not say anything that a header could."""
    request = (
        b"POST /e/lab/saw HTTP/1.1\r\nHost: daemon.test\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"1\r\na\r\n0\r\nX-Forwarded-For: 6.6.6.6\r\nCookie: a=b\r\nHost: two\r\n\r\n"
    )
    for _ in range(20):
        with Client(trusting.url) as client:
            client.send(request)
            saw = client.read().json()
        assert saw["remote_addr"] == "127.0.0.1"
        assert saw["cookies"] == []
        assert values_of(saw, "Host") == ["daemon.test"]


def test_the_endpoint_is_the_one_at_the_beginning_of_the_path(url: str) -> None:
    saw = ask(url, "/e/lab/saw/e/mounted/x").json()
    assert (saw["environ"]["SCRIPT_NAME"], saw["values"]) == ("/e/lab", {"rest": "e/mounted/x"})
