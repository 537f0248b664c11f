"""A plugin that tells whom it has seen, and certificates to serve it with."""

import datetime
import json
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from endpointd.testing import DaemonStarter
from support.plugins import write_plugin

SEEN = """
import hashlib, json, time
from dify_plugin import Endpoint
from werkzeug import Response

class Seen(Endpoint):
    def _invoke(self, r, values, settings):
        size, digest = 0, hashlib.sha256()
        while piece := r.stream.read(65536):
            size, _ = size + len(piece), digest.update(piece)
        told = {"client": r.remote_addr, "url": r.url, "hook": r.headers["Dify-Hook-Url"]}
        return Response(json.dumps(told | {"size": size, "sha256": digest.hexdigest()}), mimetype="application/json")
"""
EVENTS = """
import os, time
from dify_plugin import Endpoint
from werkzeug import Response

class Events(Endpoint):
    def _invoke(self, r, values, settings):
        def events():
            yield "data: first\\n\\n"
            # The second comes when the client has the first, and says so.
            while not os.path.exists(r.args["gate"]):
                time.sleep(0.01)
            yield "data: second\\n\\n"
        return Response(events(), mimetype="text/event-stream")
"""


@pytest.fixture(scope="session")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonStarter]:
    starter = DaemonStarter(tmp_path_factory.mktemp)
    yield starter
    starter.stop_all()


@pytest.fixture(scope="session")
def plugins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plugins")
    interfaces = [("GET", "/seen", "seen.py"), ("POST", "/seen", "seen.py"), ("GET", "/events", "events.py")]
    write_plugin(folder, "edge", {"seen.py": SEEN, "events.py": EVENTS}, interfaces)
    return folder


Issue = Callable[..., None]


@pytest.fixture(scope="session")
def issue() -> Issue:
    """Write a new certificate and its key, of whichever kind, to two files."""

    def write(certificate: Path, key: Path, name: str, *, kind: str = "ec", mode: int = 0o600) -> None:
        secret = ec.generate_private_key(ec.SECP256R1()) if kind == "ec" else rsa.generate_private_key(65537, 2048)
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        now = datetime.datetime.now(datetime.UTC)
        names = [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1")), x509.IPAddress(ip_address("::1"))]
        made = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(secret.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .sign(secret, hashes.SHA256())
        )
        encoding = serialization.Encoding.PEM
        plain = serialization.NoEncryption()
        text = secret.private_bytes(encoding, serialization.PrivateFormat.PKCS8, plain)
        # As certbot does it: a new file in the place of the old one.
        for path, data, rights in ((key, text, mode), (certificate, made.public_bytes(encoding), 0o644)):
            fresh = path.with_suffix(".new")
            fresh.write_bytes(data)
            fresh.chmod(rights)
            fresh.rename(path)

    return write


def decoded(body: bytes) -> dict[str, object]:
    return dict(json.loads(body))
