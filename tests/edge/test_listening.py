"""Several addresses at once, TLS on those of TCP, and renewals of the certificate while it serves."""

import http.client
import json
import re
import socket
import ssl
import stat
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from prometheus_client.parser import text_string_to_metric_families

from endpointd.admin.client import Client
from endpointd.cli.configuration import load
from endpointd.cli.tls_check import tls
from endpointd.errors import OperatorError
from endpointd.sockets.listeners import listeners_of
from endpointd.sockets.tls import certificate_of
from endpointd.testing import DaemonStarter, RunningDaemon

if TYPE_CHECKING:
    from edge.conftest import Issue

DOCS = Path(__file__).parents[2] / "docs"


@dataclass
class Served:
    daemon: RunningDaemon
    certificate: Path
    key: Path
    unix: Path
    state: Path
    ports: tuple[int, int]


def free_port(family: socket.AddressFamily, host: str) -> int:
    with socket.socket(family) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def served(start: DaemonStarter, plugins: Path, issue: "Issue", tmp_path_factory: pytest.TempPathFactory) -> Served:
    folder = tmp_path_factory.mktemp("edge")
    certificate, key, unix = folder / "cert.pem", folder / "key.pem", folder / "http.sock"
    issue(certificate, key, "first", kind="rsa")
    # What a killed daemon has left.
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(unix))
    ports = free_port(socket.AF_INET, "127.0.0.1"), free_port(socket.AF_INET6, "::1")
    daemon = start(
        plugins,
        state=folder / "state",
        listen=[f"unix:{unix}", f"127.0.0.1:{ports[0]}", f"[::1]:{ports[1]}"],
        listen_mode="0600",
        tls_certificate=certificate,
        tls_key=key,
        tls_minimum="1.3",
        trusted_proxies=["unix"],
    )
    return Served(daemon, certificate, key, unix, folder / "state", ports)


def trusting_nobody() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


@contextmanager
def connected(host: str, port: int) -> Iterator[http.client.HTTPSConnection]:
    with closing(http.client.HTTPSConnection(host, port, context=trusting_nobody(), timeout=10)) as connection:
        connection.connect()
        yield connection


def seen_by(connection: http.client.HTTPSConnection, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
    connection.request("GET", "/e/edge/seen", headers=headers or {})
    return dict(json.loads(connection.getresponse().read()))


def name_at(host: str, port: int) -> str:
    """Whose certificate a new connection is given."""
    with connected(host, port) as connection:
        data = connection.sock.getpeercert(binary_form=True)
        assert isinstance(data, bytes)
        return x509.load_der_x509_certificate(data).subject.rfc4514_string()


def ask_unix(path: Path, *headers: str) -> dict[str, Any]:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        client.connect(str(path))
        lines = ["GET /e/edge/seen HTTP/1.1", "Host: inside", "Connection: close", *headers]
        client.sendall("\r\n".join([*lines, "", ""]).encode())
        with client.makefile("rb") as answer:
            return dict(json.loads(answer.read().partition(b"\r\n\r\n")[2]))


def test_each_address_is_answered(served: Served) -> None:
    for host, port in (("127.0.0.1", served.ports[0]), ("::1", served.ports[1])):
        with connected(host, port) as connection:
            seen = seen_by(connection)
        assert (seen["client"], seen["url"].partition(":")[0]) == (host, "https")
    assert served.daemon.url == f"https://127.0.0.1:{served.ports[0]}"
    assert ask_unix(served.unix)["url"] == "http://inside/e/edge/seen"


def test_the_documented_addresses_can_be_listened_on_at_once(
    start: DaemonStarter, plugins: Path, issue: "Issue", tmp_path: Path
) -> None:
    try:
        port = free_port(socket.AF_INET6, "::")
    except OSError as error:
        pytest.skip(f"NOT TESTED: two families on one port; this machine has no IPv6 ({error.strerror})")
    documented = re.search(r"--listen (0\.0\.0\.0:8443,\S+)", (DOCS / "operating.md").read_text())
    assert documented
    unix, certificate, key = tmp_path / "http.sock", tmp_path / "cert.pem", tmp_path / "key.pem"
    issue(certificate, key, "both")
    listen = documented[1].replace("8443", str(port)).replace("/run/endpointd/http.sock", str(unix))
    start(plugins, listen=listen, tls_certificate=certificate, tls_key=key)
    for host in ("127.0.0.1", "::1"):
        with connected(host, port) as connection:
            assert seen_by(connection)["client"] == host
    assert ask_unix(unix)["client"] == ""


def test_a_unix_socket_has_its_rights_and_its_peers_are_believed_where_they_are_trusted(served: Served) -> None:
    assert stat.S_IMODE(served.unix.stat().st_mode) == 0o600
    said = ["X-Forwarded-For: 6.6.6.6, 192.0.2.7", "X-Forwarded-Proto: https", "X-Forwarded-Host: hooks.test"]
    seen = ask_unix(served.unix, *said)
    assert seen["client"] == "192.0.2.7"
    assert seen["url"] == seen["hook"] == "https://hooks.test/e/edge/seen"
    # Trusted is who comes over the socket, and nobody else.
    with connected("127.0.0.1", served.ports[0]) as other:
        assert seen_by(other, dict(line.split(": ") for line in said))["client"] == "127.0.0.1"


def test_older_versions_of_tls_and_plain_http_are_refused(served: Served) -> None:
    old = trusting_nobody()
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with (
        socket.create_connection(("127.0.0.1", served.ports[0])) as client,
        pytest.raises(ssl.SSLError),
        old.wrap_socket(client),
    ):
        pass
    with socket.create_connection(("127.0.0.1", served.ports[0]), 10) as plain:
        plain.sendall(b"GET /e/edge/seen HTTP/1.1\r\nHost: x\r\n\r\n")
        assert not plain.recv(65536).startswith(b"HTTP")


def test_a_renewal_is_for_new_connections_and_a_broken_one_for_none(served: Served, issue: "Issue") -> None:
    port = served.ports[0]
    assert name_at("127.0.0.1", port) == "CN=first"
    with connected("127.0.0.1", port) as before:
        assert seen_by(before)["size"] == 0
        # Another kind of key, as certbot has changed it once for everybody.
        issue(served.certificate, served.key, "second", kind="ec")
        served.daemon.wait_for_log("CN=second")
        assert name_at("127.0.0.1", port) == "CN=second"
        # By a name too.
        assert name_at("localhost", port) == "CN=second"
        # What was open goes on.
        assert seen_by(before)["size"] == 0
    # Now the key alone: half a renewal.
    issue(served.certificate.with_name("other.pem"), served.key, "other")
    refused = json.loads(served.daemon.wait_for_log("tls.renewal_refused"))
    assert (refused["code"], "the key is another certificate's" in refused["message"]) == ("tls_invalid", True)
    assert name_at("127.0.0.1", port) == "CN=second"
    issue(served.certificate, served.key, "third", mode=0o644)
    assert "0644" in served.daemon.wait_for_log("tls_key_exposed")
    assert name_at("127.0.0.1", port) == "CN=second"
    with Client(served.state) as client:
        # It is tried again, and told to who asks.
        with pytest.raises(OperatorError, match="mode 0644"):
            client.reload()
        # What the remedy says is enough, though nothing in the files changes.
        served.key.chmod(0o640)
        served.daemon.wait_for_log("CN=third")
        assert name_at("::1", served.ports[1]) == "CN=third"
        # Who asks need not wait for the next look.
        issue(served.certificate, served.key, "fourth", mode=0o640)
        client.reload()
    assert name_at("::1", served.ports[1]) == "CN=fourth"


def test_monitoring_can_see_when_the_certificate_ends(served: Served) -> None:
    end = x509.load_pem_x509_certificates(served.certificate.read_bytes())[0].not_valid_after_utc
    transport = httpx.HTTPTransport(uds=str(served.state / "endpointd.sock"))
    with httpx.Client(transport=transport, base_url="http://endpointd", timeout=10) as http:
        families = {family.name: family for family in text_string_to_metric_families(http.get("/metrics").text)}
    (sample,) = families["endpointd_tls_certificate_end_time_seconds"].samples
    assert sample.value == end.timestamp()


def test_the_log_says_that_a_certificate_was_not_renewed_in_time(
    start: DaemonStarter, plugins: Path, tmp_path: Path, issue: "Issue"
) -> None:
    certificate, key = tmp_path / "c.pem", tmp_path / "k.pem"
    issue(certificate, key, "late", hours=1)
    daemon = start(plugins, tls_certificate=certificate, tls_key=key)
    assert json.loads(daemon.wait_for_log("tls.expires_soon"))["file"] == str(certificate)


def test_what_cannot_be_listened_on_is_named(served: Served, tmp_path: Path) -> None:
    def refused(**settings: str) -> str:
        with pytest.raises(OperatorError) as caught:
            listeners_of(load(settings).settings, [])
        return caught.value.message

    assert "cannot listen on unix:" in refused(listen=f"unix:{served.unix}")
    assert ask_unix(served.unix)["size"] == 0
    file, first = tmp_path / "file", tmp_path / "a.sock"
    file.write_text("precious")
    assert "cannot listen on unix:" in refused(listen=f"unix:{first},unix:{file}")
    # The first one is not left behind.
    assert (file.read_text(), first.exists()) == ("precious", False)
    assert "no group" in refused(listen=f"unix:{first}", listen_group="nobody-has-it")


def test_a_certificate_that_cannot_be_used_is_named(tmp_path: Path, issue: "Issue") -> None:
    certificate, key = tmp_path / "c.pem", tmp_path / "k.pem"

    def refused(**settings: str) -> str:
        with pytest.raises(OperatorError) as caught:
            certificate_of(load(settings).settings)
        return caught.value.message

    both = {"tls_certificate": str(certificate), "tls_key": str(key)}
    assert "without a certificate" in refused(tls_key=str(key))
    assert "cannot be read" in refused(**both)
    issue(certificate, key, "x", mode=0o604)
    assert "mode 0604" in refused(**both)
    key.chmod(0o600)
    certificate.write_text("nothing")
    assert "no certificate and its key" in refused(**both)
    issue(certificate, key, "x")
    secret = ec.generate_private_key(ec.SECP256R1())
    sealed = serialization.BestAvailableEncryption(b"x")
    key.write_bytes(secret.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, sealed))
    assert "has a password" in refused(**both)


def test_the_doctor_looks_at_the_certificate(tmp_path: Path, issue: "Issue") -> None:
    certificate, key = tmp_path / "c.pem", tmp_path / "k.pem"
    settings = load({"tls_certificate": str(certificate), "tls_key": str(key)}).settings
    (absent,) = tls(settings)
    assert (absent.verdict, "cannot be read" in absent.says) == ("failed", True)
    issue(certificate, key, "x")
    (well,) = tls(settings)
    assert (well.verdict, "until 20" in well.says) == ("ok", True)
    issue(tmp_path / "other.pem", key, "y")
    (another,) = tls(settings)
    assert (another.verdict, "another certificate's" in another.says) == ("failed", True)
    key.chmod(0o644)
    (exposed,) = tls(settings)
    assert (exposed.verdict, exposed.remedy.startswith("chmod")) == ("failed", True)
    assert list(tls(load({}).settings)) == []


def test_at_the_end_the_socket_is_taken_away(start: DaemonStarter, plugins: Path, tmp_path: Path) -> None:
    path = tmp_path / "http.sock"
    daemon = start(plugins, listen=f"unix:{path}")
    assert daemon.url == f"unix:{path}"
    assert ask_unix(path)["client"] == ""
    assert daemon.stop() == 0
    assert not path.exists()
