"""`endpointd doctor`: checks whether the daemon can use the certificate and its key, and for how long."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from cryptography import x509

from endpointd.cli.verdicts import Check
from endpointd.errors import OperatorError
from endpointd.manifest.findings import one_line
from endpointd.settings.settings import Settings
from endpointd.sockets.tls import certificate_of

SOON = timedelta(days=14)
"""The time before the end of a certificate at which it should have been renewed; at most a third of its lifetime."""


def tls(settings: Settings) -> Iterator[Check]:
    """The checks of the certificate; none if none is configured."""
    try:
        if certificate_of(settings) is None:
            return
    except OperatorError as error:
        yield Check("TLS", "failed", one_line(error.message), one_line(error.remedy))
        return
    assert settings.tls_certificate is not None
    found = x509.load_pem_x509_certificates(settings.tls_certificate.read_bytes())[0]
    yield lifetime(found.not_valid_before_utc, found.not_valid_after_utc, datetime.now(UTC))


def lifetime(since: datetime, until: datetime, now: datetime) -> Check:
    """Check whether the certificate is valid now, and for long enough."""
    day = f"{until:%Y-%m-%d %H:%M} UTC"
    renew = "renew it: the daemon notices without a new start"
    if now < since:
        return Check("TLS", "failed", f"the certificate holds only from {since:%Y-%m-%d %H:%M} UTC on", "set the clock")
    if now >= until:
        return Check("TLS", "failed", f"the certificate has ended on {day}", renew)
    if until - now < min(SOON, (until - since) / 3):
        return Check("TLS", "warning", f"the certificate ends soon, on {day}", renew)
    return Check("TLS", "ok", f"the certificate and its key fit, until {day}")
