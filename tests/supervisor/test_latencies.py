"""Latencies in classes: near enough, whatever they are."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from endpointd.supervisor.latencies import PLACES, Latencies, middle_of, place_of, quantile


@given(st.floats(min_value=2**-18, max_value=2**13))
def test_a_class_stands_for_what_is_in_it(seconds: float) -> None:
    assert middle_of(place_of(seconds)) == pytest.approx(seconds, rel=0.126)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_number_has_a_class(seconds: float) -> None:
    assert 0 <= place_of(seconds) < PLACES


@given(st.floats(min_value=1e-7, max_value=1e6), st.floats(min_value=1e-7, max_value=1e6))
def test_classes_are_in_order(one: float, other: float) -> None:
    assert (place_of(one) <= place_of(other)) or one > other


def test_quantiles() -> None:
    latencies = Latencies()
    for number in range(1, 101):
        latencies.add(number / 1000)
    counts = dict(enumerate(latencies.counts))
    assert latencies.total == 100
    assert quantile(counts, 0.5) == pytest.approx(0.05, rel=0.2)
    assert quantile(counts, 0.95) == pytest.approx(0.095, rel=0.2)
    assert quantile({}, 0.5) is None
    assert not math.isnan(middle_of(PLACES - 1))
