"""The daemon's certificate: read from its files, checked, and read again when they have changed.

A renewal changes two files, one after the other. What does not fit together is not taken: the certificate that was
there serves on, and the files are looked at again when they, their owner or their rights change.
"""

import asyncio
import os
import ssl
import stat
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import structlog

from endpointd.errors import OperatorError, UsageError
from endpointd.settings import Settings

LOOK = 2.0
"""Seconds between two looks at the files."""

_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}

Stamp = tuple[tuple[int, ...], ...]

log = structlog.get_logger()


class Certificate:
    """`context` is what listeners are to be given; whoever connects gets the newest certificate."""

    def __init__(self, certificate: Path, key: Path | None, minimum: str) -> None:
        """Blocking. Raises `OperatorError`: they cannot be used."""
        self._certificate = certificate
        self._key = key or certificate
        self._minimum = _VERSIONS[minimum]
        self._one_at_a_time = threading.Lock()
        self._stamp = self._stamped()
        self._is_refused = False
        """Whether the files, as they were at the last look, could not be used."""
        self.context = self._current = self._load()
        # A certificate with another kind of key would not take the old one's place within a context, but stand beside
        # it. So there is a new one each time, and a connection is given it when it begins, by whatever name it asks.
        self.context.sni_callback = self._choose

    def renew(self, *, again: bool = False) -> None:
        """Take the files as they are now, if they have changed; `again`: those too that were refused as they are.
        Blocking. Raises `OperatorError`: the present certificate stays."""
        with self._one_at_a_time:
            stamp = self._stamped()
            if stamp == self._stamp and not (again and self._is_refused):
                return
            self._stamp, self._is_refused = stamp, True
            self._current = self._load()
            self._is_refused = False

    async def follow(self) -> NoReturn:
        """Notice renewals."""
        while True:
            await asyncio.sleep(LOOK)
            try:
                await asyncio.to_thread(self.renew)
            except OperatorError as error:
                log.error("tls.renewal_refused", code=error.code, message=error.message, remedy=error.remedy)

    def _choose(self, connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        connection.context = self._current

    def _stamped(self) -> Stamp:
        """What changes with the files, where they are links with what these lead to; a zero for a file that is away."""
        return tuple(map(_stamp, (self._certificate, self._key)))

    def _load(self) -> ssl.SSLContext:
        # Most daemons have none to read.
        from cryptography import x509

        check_key(self._key)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = self._minimum
        context.set_alpn_protocols(["http/1.1"])
        try:
            context.load_cert_chain(self._certificate, self._key, password=_no_password)
            first = x509.load_pem_x509_certificates(self._certificate.read_bytes())[0]
        except (OSError, ValueError) as error:
            # Both are OSErrors; only that of TLS has no text of the system.
            reason = "they are no certificate and its key" if isinstance(error, ssl.SSLError) else str(error)
            if isinstance(error, ssl.SSLError) and error.reason == "KEY_VALUES_MISMATCH":
                reason = "the key is another certificate's"
            raise OperatorError(
                "tls_invalid",
                f"the certificate {self._certificate} with the key {self._key} cannot be used: {reason}",
                "name the files of a certificate and of its key, both PEM, the key without a password",
            ) from error
        until = first.not_valid_after_utc
        subject = first.subject.rfc4514_string()
        if until < datetime.now(UTC):
            log.warning("tls.expired", file=str(self._certificate), subject=subject, until=str(until))
        else:
            log.info("tls.certificate", file=str(self._certificate), subject=subject, until=str(until))
        return context


def certificate_of(settings: Settings) -> Certificate | None:
    """Blocking. Raises `OperatorError`."""
    if settings.tls_certificate is not None:
        return Certificate(settings.tls_certificate, settings.tls_key, settings.tls_minimum)
    if settings.tls_key is not None:
        raise UsageError("tls_invalid", "there is a tls_key without a certificate", "name one with --tls-certificate")
    return None


def check_key(key: Path) -> None:
    """Raises `OperatorError`: everybody on this machine may read the key, or somebody may change it."""
    try:
        mode = stat.S_IMODE(os.stat(key).st_mode)
    except OSError as error:
        raise OperatorError(
            "tls_invalid", f"the key {key} cannot be read: {error.strerror}", "put it there, readable for the daemon"
        ) from error
    if mode & (stat.S_IRWXO | stat.S_IWGRP):
        raise OperatorError(
            "tls_key_exposed",
            f"the key {key} is for others than its owner and its group's readers too (mode {mode:04o})",
            f"chmod u=rw,g=r,o= {key}",
        )


def _stamp(path: Path) -> tuple[int, ...]:
    try:
        found = os.stat(path)
    except OSError:
        return (0,)
    # The last one alone tells that a key which everybody could read has got other rights.
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _no_password() -> str:
    """Else OpenSSL would ask on the terminal."""
    raise ValueError("the key has a password")
