"""Numbers as people read them. Pure."""

from endpointd import humane

NOTHING = "\N{EN DASH}"
"""For what is not known, or is not there."""


def size(count: float | None) -> str:
    """Bytes: "34.0 MiB"; a dash for what is not known."""
    return NOTHING if count is None else humane.size(int(count))


def latency(seconds: float | None) -> str:
    """ "0.8 ms", "230 ms", "4.1 s"."""
    if seconds is None:
        return NOTHING
    if seconds < 0.01:
        return f"{seconds * 1000:.1f} ms"
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def rate(per_second: float | None) -> str:
    """Requests per second: "0", "0.4", "1,250"."""
    if per_second is None:
        return NOTHING
    if per_second < 0.05:
        return "0"
    return f"{per_second:.1f}" if per_second < 100 else f"{per_second:,.0f}"


def duration(seconds: float | None) -> str:
    """How long something has lasted: "3 d 4 h"; a dash for what is not known."""
    return NOTHING if seconds is None else humane.duration(seconds)


def digest(release: str | None) -> str:
    """A release as people tell one from another: the beginning of its digest."""
    return NOTHING if release is None else release.rpartition(":")[2][:12]
