"""The keys of signatures: RSA keys in PEM files. New ones are written as PKCS #1, the only format that
Dify reads."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from endpointd.errors import UsageError

BITS = 4096
"""The size of new keys in bits."""
LEAST = 2048
"""The smallest size in bits of a key that is accepted."""
MAX_FILE = 64 * 1024
_PEM_END = "-----END"


@dataclass(frozen=True, slots=True)
class TrustedKey:
    """A public key whose signatures are trusted, and the file that has it, for messages."""

    path: Path
    key: rsa.RSAPublicKey

    def has_signed(self, text: bytes, signature: bytes) -> bool:
        try:
            self.key.verify(signature, text, padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            return False
        return True


def trusted_keys(paths: Iterable[Path]) -> list[TrustedKey]:
    """Read the public keys in these files. Raises `UsageError`."""
    return [TrustedKey(path, _public(path)) for path in paths]


def signer(keys: Sequence[TrustedKey], text: bytes, signature: bytes) -> TrustedKey | None:
    """The first of the keys with which `text` was signed; None if it was none of them."""
    return next((key for key in keys if key.has_signed(text, signature)), None)


def private_key(path: Path) -> rsa.RSAPrivateKey:
    """Read the private key in a file. Raises `UsageError`."""
    text = _read(path)
    try:
        key = serialization.load_pem_private_key(text, password=None)
    except TypeError as error:
        raise _unusable(path, "it is encrypted", "decrypt it first: openssl rsa -traditional -in KEY") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _unusable(path, "it is no private key in PEM", "name a key that 'endpointd keygen' has made") from error
    if not isinstance(key, rsa.RSAPrivateKey) or key.key_size < LEAST:
        raise _unusable(path, f"it is no RSA key of {LEAST} bits or more", "make one with 'endpointd keygen'")
    return key


def sign(key: rsa.RSAPrivateKey, text: bytes) -> bytes:
    return key.sign(text, padding.PKCS1v15(), hashes.SHA256())


def make_keys(stem: Path) -> tuple[Path, Path]:
    """Create a pair of keys: `STEM.private.pem`, which only the owner may read, and `STEM.public.pem`. Returns the two
    paths. Raises `UsageError` or `OSError`."""
    if not stem.name:
        raise UsageError("key_unnamed", f"{stem} has no name that files could begin with", "name the key: ./acme")
    private, public = (stem.with_name(f"{stem.name}.{kind}.pem") for kind in ("private", "public"))
    for path in (private, public):
        if os.path.lexists(path):
            raise UsageError("key_exists", f"{path} is there already", "name another, or remove that first")
    key = rsa.generate_private_key(public_exponent=65537, key_size=BITS)
    form = serialization.PrivateFormat.TraditionalOpenSSL
    _write(private, key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()), 0o600)
    try:
        public_form = serialization.PublicFormat.PKCS1
        _write(public, key.public_key().public_bytes(serialization.Encoding.PEM, public_form), 0o644)
    except BaseException:
        private.unlink()
        raise
    return private, public


def _write(path: Path, data: bytes, mode: int) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode), "wb") as file:
        file.write(data)


def _public(path: Path) -> rsa.RSAPublicKey:
    text = _read(path)
    try:
        key = serialization.load_pem_public_key(text)
    except (ValueError, UnsupportedAlgorithm) as error:
        remedy = "name the public one of two keys (-----BEGIN RSA PUBLIC KEY-----)"
        raise _unusable(path, "it is no public key in PEM", remedy) from error
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size < LEAST:
        raise _unusable(path, f"it is no RSA key of {LEAST} bits or more", "name another")
    return key


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            text = file.read(MAX_FILE + 1)
    except OSError as error:
        raise _unusable(path, error.strerror or str(error), "correct the path, or let it be read") from error
    # If a file had several keys, only the first would be used, without any message.
    if len(text) > MAX_FILE or text.count(_PEM_END.encode()) > 1:
        raise _unusable(path, "there is more than one key in it", "put each into a file of its own")
    return text


def _unusable(path: Path, why: str, remedy: str) -> UsageError:
    return UsageError("key_unusable", f"the key {path} cannot be used: {why}", remedy)
