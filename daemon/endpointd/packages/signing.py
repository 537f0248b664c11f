"""Signs a package. A previous signature is replaced."""

import time
from dataclasses import dataclass
from typing import BinaryIO

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from endpointd.packages.archive import Archive
from endpointd.packages.checksum import checksum_of
from endpointd.packages.keys import sign
from endpointd.packages.limits import PackageLimits
from endpointd.packages.seal import VERIFICATION, Seal, signed_text, write_seal, write_statement
from endpointd.packages.writing import Writer, copied


@dataclass(frozen=True, slots=True)
class Signed:
    """`checksum` is that of the signed package, which differs because signing adds a file. `time` is when it was
    signed, in seconds since the epoch."""

    checksum: str
    time: int


def sign_package(file: BinaryIO, out: BinaryIO, key: RSAPrivateKey, category: str, limits: PackageLimits) -> Signed:
    """Write the package in `file` to `out` with a signature. Raises `PackageError`; the caller must then discard what
    was written."""
    writer = Writer(out)
    copied(Archive(file, limits).contents(), writer, without=VERIFICATION)
    writer.add(VERIFICATION, [write_statement(category, writer.digests)])
    now = int(time.time())
    seal = Seal(sign(key, signed_text(writer.digests, now)), now)
    writer.finish(write_seal(seal))
    return Signed(checksum_of(writer.digests), now)
