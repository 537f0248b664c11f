"""Numbers as people read them."""

from collections.abc import Callable
from subprocess import CompletedProcess

import pytest

from endpointd import humane

Run = Callable[..., CompletedProcess[str]]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0 s"),
        (0.9, "0 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (61, "1 min 1 s"),
        (3600, "1 h"),
        (7325, "2 h 2 min"),
        (86_400 * 3 + 3600 * 4, "3 d 4 h"),
        (86_400 * 400, "400 d"),
    ],
)
def test_durations_are_human(seconds: float, text: str) -> None:
    assert humane.duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (35_862_000, "34.2 MiB"), (5 * 1024**4, "5120.0 GiB")],
)
def test_sizes_are_human(count: int, text: str) -> None:
    assert humane.size(count) == text
