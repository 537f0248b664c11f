"""Numbers as people read them."""

import pytest

from endpointd.console import figures


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (None, figures.NOTHING),
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (34.5 * 2**20, "34.5 MiB"),
        (5 * 2**40, "5120.0 GiB"),
    ],
)
def test_sizes(count: float | None, text: str) -> None:
    assert figures.size(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, figures.NOTHING), (0.0008, "0.8 ms"), (0.0123, "12 ms"), (0.9, "900 ms"), (61.04, "61.0 s")],
)
def test_latencies(seconds: float | None, text: str) -> None:
    assert figures.latency(seconds) == text


@pytest.mark.parametrize(
    ("rate", "text"),
    [(None, figures.NOTHING), (0, "0"), (0.01, "0"), (0.44, "0.4"), (99.94, "99.9"), (1250.4, "1,250")],
)
def test_rates(rate: float | None, text: str) -> None:
    assert figures.rate(rate) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, figures.NOTHING), (-1, "0 s"), (0.9, "0 s"), (61, "1 min 1 s"), (3600, "1 h"), (90_061, "1 d 1 h")],
)
def test_durations(seconds: float | None, text: str) -> None:
    assert figures.duration(seconds) == text


def test_releases() -> None:
    assert figures.digest(None) == figures.NOTHING
    assert figures.digest("sha256:0123456789abcdef") == "0123456789ab"
