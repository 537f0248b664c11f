"""Parses rates as operators write them: "10/s", "100/min burst 20", "1000/h overall". Pure."""

import re
from dataclasses import dataclass

UNLIMITED = "unlimited"

UNITS = {"s": 1, "min": 60, "h": 3600, "d": 86_400}
"""The length of each unit in seconds."""

_OTHER_WORDS = {
    "sec": "s",
    "second": "s",
    "seconds": "s",
    "m": "min",
    "minute": "min",
    "minutes": "min",
    "hour": "h",
    "hours": "h",
    "day": "d",
    "days": "d",
}
_RATE = re.compile(r"(\d{1,9})\s*(?:/|per\s)\s*([a-z]+)(?:\s+burst\s+(\d{1,9}))?(\s+overall)?", re.ASCII)
_MOST = 1_000_000


@dataclass(frozen=True, slots=True)
class Rate:
    """`count` requests per `unit`, up to `burst` of them at once. Per client, or for all together (`overall`)."""

    count: int
    unit: str
    burst: int
    overall: bool = False

    @property
    def interval(self) -> float:
        """Seconds after which one more request is allowed."""
        return UNITS[self.unit] / self.count

    def __str__(self) -> str:
        burst = f" burst {self.burst}" if self.burst != self.count else ""
        return f"{self.count}/{self.unit}{burst}{' overall' if self.overall else ''}"


def read_rate(text: str) -> Rate | None:
    """Parse a rate; None for "unlimited". Raises ValueError with the reason if it is invalid."""
    words = " ".join(text.lower().split())
    if words == UNLIMITED:
        return None
    found = _RATE.fullmatch(words)
    if found is None:
        raise ValueError("a rate is a number, a slash and s, min, h or d")
    unit = _OTHER_WORDS.get(found[2], found[2])
    if unit not in UNITS:
        raise ValueError(f"a rate is per {', '.join(UNITS)}, and not per {found[2][:20]}")
    count = int(found[1])
    burst = int(found[3]) if found[3] is not None else count
    if not (1 <= count <= _MOST and 1 <= burst <= _MOST):
        raise ValueError(f"the numbers of a rate are from 1 to {_MOST}")
    return Rate(count, unit, burst, bool(found[4]))


def kept_rate(text: str) -> str:
    """Normalize a rate. Raises ValueError with the reason if it is invalid."""
    rate = read_rate(text)
    return UNLIMITED if rate is None else str(rate)
