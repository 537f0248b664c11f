"""`endpointd doctor`: checks whether the daemon can use the certificate and its key, and for how long."""

from collections.abc import Iterator
from datetime import UTC, datetime

from endpointd.cli.verdicts import Check
from endpointd.errors import OperatorError
from endpointd.manifest.findings import one_line
from endpointd.settings.settings import Settings
from endpointd.sockets.lifetime import Lifetime
from endpointd.sockets.tls import certificate_of


def tls(settings: Settings) -> Iterator[Check]:
    """The checks of the certificate; none if none is configured."""
    try:
        certificate = certificate_of(settings)
    except OperatorError as error:
        yield Check("TLS", "failed", one_line(error.message), one_line(error.remedy))
        return
    if certificate is not None:
        yield judge(certificate.lifetime, datetime.now(UTC))


def judge(lifetime: Lifetime, now: datetime) -> Check:
    """Check whether the certificate is valid now, and for long enough."""
    first, day = (f"{time:%Y-%m-%d %H:%M} UTC" for time in (lifetime.since, lifetime.until))
    renew = "renew it: the daemon notices without a new start"
    if now < lifetime.since:
        return Check("TLS", "failed", f"the certificate holds only from {first} on", "set the clock")
    if lifetime.has_ended(now):
        return Check("TLS", "failed", f"the certificate has ended on {day}", renew)
    if lifetime.ends_soon(now):
        return Check("TLS", "warning", f"the certificate ends soon, on {day}", renew)
    return Check("TLS", "ok", f"the certificate and its key fit, until {day}")
