"""Keys, and sealing with them: authenticated encryption that is bound to the place of the text.

A sealed text is `1:<key id>:<base64 of nonce, ciphertext and tag>`. The 1 is the version of this format: AES-256-GCM
with a random nonce of 96 bits, which is safe for 2^32 texts with one key. The version, the key id, and the place that
the text belongs to are authenticated data, so a text that was changed, or moved to another place, is detected.
"""

import base64
import hashlib
import hmac
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from endpointd.errors import EndpointdError

KEY_BYTES = 32
_NONCE_BYTES = 12
_VERSION = "1"
_PADDING = 64
"""Texts are padded to a multiple of this many bytes, so that the database tells little about their lengths."""


class KeyUnknown(EndpointdError):
    """The text was sealed with a key that is not in the ring."""

    def __init__(self, key_id: str) -> None:
        super().__init__(f"the key {key_id} is not there")
        self.key_id = key_id


class SealBroken(EndpointdError):
    """The sealed text was changed or truncated, or belongs to another place."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key. Its `id` is a hash of it, which does not reveal it."""

    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.secret) != KEY_BYTES:
            raise ValueError(f"a key has {KEY_BYTES} bytes")

    @classmethod
    def make(cls) -> "Key":
        return cls(os.urandom(KEY_BYTES))

    @property
    def id(self) -> str:
        return hmac.new(self.secret, b"endpointd key id", hashlib.sha256).hexdigest()[:16]


class Keyring:
    """One or more keys: the first seals, all unseal. Immutable. Its repr does not show the keys."""

    def __init__(self, keys: Sequence[Key]) -> None:
        if not keys:
            raise ValueError("a ring has at least one key")
        self._keys = {key.id: AESGCM(key.secret) for key in keys}
        self._first = keys[0].id

    @property
    def first(self) -> str:
        """The id of the key that seals."""
        return self._first

    @property
    def ids(self) -> frozenset[str]:
        return frozenset(self._keys)

    def __repr__(self) -> str:
        return f"<Keyring of {len(self._keys)}, first {self._first}>"

    def joined(self, other: "Keyring") -> "Keyring":
        """A ring that seals with the first key of this one, and unseals with all keys of both."""
        ring = Keyring.__new__(Keyring)
        ring._keys = other._keys | self._keys
        ring._first = self._first
        return ring

    def seal(self, text: str, *place: str) -> str:
        """Seal the text. It can only be unsealed for the same place, such as ("endpoint", id, name)."""
        nonce = os.urandom(_NONCE_BYTES)
        data = text.encode()
        padded = data + b" " * (-len(data) % _PADDING)
        sealed = self._keys[self._first].encrypt(nonce, padded, _bound(self._first, place))
        return f"{_VERSION}:{self._first}:{base64.b64encode(nonce + sealed).decode()}"

    def unseal(self, sealed: str, *place: str) -> str:
        """The text that was sealed for this place, with blanks (the padding) at its end. Raises `KeyUnknown` or
        `SealBroken`."""
        version, _, rest = sealed.partition(":")
        key_id, _, encoded = rest.partition(":")
        if version != _VERSION:
            raise SealBroken("sealed in a way that this version does not know")
        if key_id not in self._keys:
            raise KeyUnknown(key_id)
        try:
            data = base64.b64decode(encoded, validate=True)
            opened = self._keys[key_id].decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], _bound(key_id, place))
        except (InvalidTag, ValueError):
            raise SealBroken("changed, not whole, or from another place") from None
        return opened.decode()


def _bound(key_id: str, place: tuple[str, ...]) -> bytes:
    """The authenticated data. JSON, because it is different for any two places."""
    return json.dumps(["endpointd", _VERSION, key_id, *place]).encode()
