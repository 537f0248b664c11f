"""Certificates for servers on this machine, signed by themselves."""

import datetime
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa


def write_certificate(
    certificate: Path, key: Path, name: str, *, kind: str = "ec", mode: int = 0o600, hours: int = 24
) -> None:
    """Write a new certificate and its key, of whichever kind, to two files. It began a day ago, and ends in `hours`."""
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
        .not_valid_after(now + datetime.timedelta(hours=hours))
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
