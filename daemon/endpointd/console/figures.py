"""Numbers as people read them. Pure."""

_KIB = 1024

NOTHING = "\N{EN DASH}"
"""For what is not known, or is not there."""


def size(count: float | None) -> str:
    """Bytes: "34.0 MiB"; a dash for what is not known."""
    if count is None:
        return NOTHING
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(count) < _KIB or unit == "GiB":
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= _KIB
    raise AssertionError


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
    """How long something has lasted, in its two largest units: "3 d 4 h"."""
    if seconds is None:
        return NOTHING
    left = max(0, int(seconds))
    parts: list[str] = []
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)):
        count, left = divmod(left, length)
        if count or (unit == "s" and not parts):
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2])


def digest(release: str | None) -> str:
    """A release as people tell one from another: the beginning of its digest."""
    return NOTHING if release is None else release.rpartition(":")[2][:12]
