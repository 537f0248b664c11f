"""Small charts of the last minutes, as paths for SVG. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 600, 96
_TOP = 4


@dataclass(frozen=True, slots=True)
class Chart:
    """`line` and `area` are the paths, `top` is the value at the upper edge."""

    line: str
    area: str
    top: float
    width: int = WIDTH
    height: int = HEIGHT


def chart(values: Sequence[float | None], most: int, step: int, least_top: float) -> Chart:
    """A chart of `values`, one per second, the latest last. The width of the chart is `most` seconds, with the latest
    value at the right edge. Each point is the mean of `step` values; None leaves a gap. The value at the upper edge is
    at least `least_top`."""
    points = _means(values, step)
    top = max([least_top, *(value for _, value in points if value is not None)])
    width = WIDTH / max(1, most - step)
    first = most - len(values)
    lines: list[list[str]] = [[]]
    for place, value in points:
        if value is None:
            lines.append([])
            continue
        x = (first + place) * width
        lines[-1].append(f"{x:.1f},{HEIGHT - 1 - value / top * (HEIGHT - 1 - _TOP):.1f}")
    drawn = [line for line in lines if line]
    return Chart(
        " ".join(f"M{' L'.join(line)}" for line in drawn),
        " ".join(f"M{_x(line[0])},{HEIGHT} L{' L'.join(line)} L{_x(line[-1])},{HEIGHT} Z" for line in drawn),
        top,
    )


def _means(values: Sequence[float | None], step: int) -> list[tuple[int, float | None]]:
    """The means of `step` values each, with their positions. Counted from the latest value, so that only the oldest
    mean may be of fewer values."""
    points: list[tuple[int, float | None]] = []
    for end in range(len(values), 0, -step):
        known = [value for value in values[max(0, end - step) : end] if value is not None]
        points.append((max(0, end - step), sum(known) / len(known) if known else None))
    return points[::-1]


def _x(point: str) -> str:
    return point.partition(",")[0]
