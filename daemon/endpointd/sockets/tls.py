"""Reads the daemon's TLS certificate and key from their files, and reads them again when these have changed.

A renewal changes two files, one after the other. While they do not match, they are refused: the previous certificate
remains in use, and the files are read again when their content, owner or permissions change. If no renewal comes, the
log has a warning every day.
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
from endpointd.settings.settings import Settings
from endpointd.sockets.lifetime import Lifetime

LOOK = 2.0
"""Seconds between two checks of the files."""

_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}

Stamp = tuple[tuple[int, ...], ...]

log = structlog.get_logger()


class Certificate:
    """`context` is the SSL context for listeners. New connections always get the latest certificate, which is valid in
    its `lifetime`."""

    lifetime: Lifetime

    def __init__(self, certificate: Path, key: Path | None, minimum: str) -> None:
        """Read the files. Blocking. Raises `OperatorError` if they cannot be used."""
        self._certificate = certificate
        self._key = key or certificate
        self._minimum = _VERSIONS[minimum]
        self._one_at_a_time = threading.Lock()
        self._stamp = self._stamped()
        self._is_refused = False
        """Whether the files could not be used when they were last read."""
        self._warned: datetime | None = None
        """When the log last said that the present certificate ends."""
        self.context = self._current = self._load()
        # If a context loads a certificate with another type of key, it keeps the old one too. So each certificate gets
        # a new context, to which every connection is switched at its beginning, whatever server name it asks for.
        self.context.sni_callback = self._choose

    def renew(self, *, again: bool = False) -> None:
        """Read the files again if they have changed; with `again`, also if they have not changed but were refused.
        Blocking. Raises `OperatorError` if they cannot be used; the present certificate remains in use then."""
        with self._one_at_a_time:
            stamp = self._stamped()
            if stamp == self._stamp and not (again and self._is_refused):
                return
            self._stamp, self._is_refused = stamp, True
            self._current = self._load()
            self._is_refused = False

    async def follow(self) -> NoReturn:
        """Check the files regularly, until cancelled. Errors, and a certificate that ends, are logged."""
        while True:
            self.warn(datetime.now(UTC))
            await asyncio.sleep(LOOK)
            try:
                await asyncio.to_thread(self.renew)
            except OperatorError as error:
                log.error("tls.renewal_refused", code=error.code, message=error.message, remedy=error.remedy)

    def warn(self, now: datetime) -> None:
        """Log that the certificate ends soon, or has ended, unless the log has said so within a day."""
        lifetime = self.lifetime
        if not lifetime.is_due(now, self._warned):
            return
        self._warned = now
        if lifetime.has_ended(now):
            log.warning("tls.expired", file=str(self._certificate), until=str(lifetime.until))
        else:
            log.warning("tls.expires_soon", file=str(self._certificate), until=str(lifetime.until))

    def _choose(self, connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        connection.context = self._current

    def _stamped(self) -> Stamp:
        """A value that changes when the files change, or the targets of links. A missing file counts as a zero."""
        return tuple(map(_stamp, (self._certificate, self._key)))

    def _load(self) -> ssl.SSLContext:
        # Imported only here, because most daemons have no certificate.
        from cryptography import x509

        check_key(self._key)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = self._minimum
        context.set_alpn_protocols(["http/1.1"])
        try:
            context.load_cert_chain(self._certificate, self._key, password=_no_password)
            first = x509.load_pem_x509_certificates(self._certificate.read_bytes())[0]
        except (OSError, ValueError) as error:
            # SSLError is an OSError too, but its text does not help operators.
            reason = "they are no certificate and its key" if isinstance(error, ssl.SSLError) else str(error)
            if isinstance(error, ssl.SSLError) and error.reason == "KEY_VALUES_MISMATCH":
                reason = "the key is another certificate's"
            raise OperatorError(
                "tls_invalid",
                f"the certificate {self._certificate} with the key {self._key} cannot be used: {reason}",
                "name the files of a certificate and of its key, both PEM, the key without a password",
            ) from error
        until = first.not_valid_after_utc
        log.info(
            "tls.certificate", file=str(self._certificate), subject=first.subject.rfc4514_string(), until=str(until)
        )
        self.lifetime, self._warned = Lifetime(first.not_valid_before_utc, until), None
        return context


def certificate_of(settings: Settings) -> Certificate | None:
    """The certificate that the settings name; None if they name none. Blocking. Raises `OperatorError`."""
    if settings.tls_certificate is not None:
        return Certificate(settings.tls_certificate, settings.tls_key, settings.tls_minimum)
    if settings.tls_key is not None:
        raise UsageError("tls_invalid", "there is a tls_key without a certificate", "name one with --tls-certificate")
    return None


def check_key(key: Path) -> None:
    """Raise `OperatorError` if the key's file is missing, accessible to others, or writable for its group."""
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
    # Only the ctime changes if the permissions of a key that was refused are corrected.
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _no_password() -> str:
    """Called by OpenSSL if the key is encrypted. Without this, OpenSSL would ask for the password on the terminal."""
    raise ValueError("the key has a password")
