"""Formats numbers for the console's pages. Pure."""

from endpointd import humane

NOTHING = "\N{EN DASH}"
"""The text for an unknown or missing value."""


def size(count: float | None) -> str:
    """A number of bytes, such as "34.0 MiB"; a dash if it is None."""
    return NOTHING if count is None else humane.size(int(count))


def latency(seconds: float | None) -> str:
    """A latency, such as "0.8 ms", "230 ms" or "4.1 s"; a dash if it is None."""
    if seconds is None:
        return NOTHING
    if seconds < 0.01:
        return f"{seconds * 1000:.1f} ms"
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def rate(per_second: float | None) -> str:
    """A number of requests per second, such as "0", "0.4" or "1,250"; a dash if it is None."""
    if per_second is None:
        return NOTHING
    if per_second < 0.05:
        return "0"
    return f"{per_second:.1f}" if per_second < 100 else f"{per_second:,.0f}"


def duration(seconds: float | None) -> str:
    """A duration, such as "3 d 4 h"; a dash if it is None."""
    return NOTHING if seconds is None else humane.duration(seconds)


def digest(release: str | None) -> str:
    """The beginning of a release's digest, which is sufficient for people; a dash if it is None."""
    return NOTHING if release is None else release.rpartition(":")[2][:12]
