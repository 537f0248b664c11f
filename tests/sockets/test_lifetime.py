"""Operators hear in time that a certificate ends: in the log, once a day, until it is renewed."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from endpointd.sockets.lifetime import Lifetime
from endpointd.sockets.tls import Certificate
from support.certificates import write_certificate

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("ends", "warned", "is_due"),
    [
        (15, None, False),
        (13, None, True),
        (13, 0.9, False),
        (13, 1, True),
        (-1, None, True),
        (-1, 0.9, False),
    ],
    ids=["long to go", "soon", "said today", "said yesterday", "over", "over and said"],
)
def test_when_a_warning_is_due(ends: float, warned: float | None, is_due: bool) -> None:
    lifetime = Lifetime(NOW - timedelta(days=70), NOW + timedelta(days=ends))
    assert lifetime.is_due(NOW, None if warned is None else NOW - timedelta(days=warned)) is is_due


def test_the_log_says_once_a_day_that_the_certificate_ends(tmp_path: Path) -> None:
    files = tmp_path / "c.pem", tmp_path / "k.pem"
    write_certificate(*files, "x")
    certificate = Certificate(*files, "1.2")
    end = certificate.lifetime.until
    with capture_logs() as logs:
        for hours in (-20, -10, -9, 15, 16, 39):
            certificate.warn(end + timedelta(hours=hours))
    assert [event["event"] for event in logs] == ["tls.expires_soon", "tls.expired", "tls.expired"]
    assert {event["until"] for event in logs} == {str(end)}


def test_a_renewed_certificate_is_another_one(tmp_path: Path) -> None:
    files = tmp_path / "c.pem", tmp_path / "k.pem"
    write_certificate(*files, "x")
    certificate = Certificate(*files, "1.2")
    late = certificate.lifetime.until - timedelta(hours=1)
    with capture_logs() as logs:
        certificate.warn(late)
        write_certificate(*files, "y")
        certificate.renew()
        certificate.warn(late)
    assert [event["event"] for event in logs] == ["tls.expires_soon", "tls.certificate", "tls.expires_soon"]
