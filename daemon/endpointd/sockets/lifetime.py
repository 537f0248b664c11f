"""The time in which a certificate is valid, and when it should have been renewed. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

SOON = timedelta(days=14)
"""The time before the end of a certificate at which it should have been renewed; at most a third of its lifetime."""

REMINDER = timedelta(days=1)
"""The time between two warnings that a certificate ends."""


@dataclass(frozen=True, slots=True)
class Lifetime:
    """The certificate is valid from `since` until `until`; both are in UTC."""

    since: datetime
    until: datetime

    def has_ended(self, now: datetime) -> bool:
        return now >= self.until

    def ends_soon(self, now: datetime) -> bool:
        """Whether the certificate should have been renewed already, or has ended."""
        return self.until - now < min(SOON, (self.until - self.since) / 3)

    def is_due(self, now: datetime, warned: datetime | None) -> bool:
        """Whether to warn that the certificate ends; the last warning was at `warned`, if there was one."""
        return self.ends_soon(now) and (warned is None or now - warned >= REMINDER)
