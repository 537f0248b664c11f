"""The Date header (RFC 9110 §6.6.1), formatted at most once a second."""

from email.utils import formatdate
from time import time

_made_at = 0
_date = b""


def http_date() -> bytes:
    """The value of a Date header for now."""
    global _made_at, _date
    now = int(time())
    if now != _made_at:
        _made_at, _date = now, formatdate(now, usegmt=True).encode()
    return _date
