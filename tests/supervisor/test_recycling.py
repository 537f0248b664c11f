"""When a worker has served its time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from endpointd.supervisor.recycling import JITTER, Bounds


@pytest.mark.parametrize(
    ("bounds", "requests", "age", "memory", "reason"),
    [
        (Bounds(), 10**9, 10.0**9, 10**12, None),
        (Bounds(requests=5), 4, 0, None, None),
        (Bounds(requests=5), 5, 0, None, "5 requests"),
        (Bounds(age=60), 0, 59.9, None, None),
        (Bounds(age=60), 0, 60.0, None, "60 s"),
        (Bounds(memory=3 << 20), 0, 0, None, None),
        (Bounds(memory=3 << 20), 0, 0, (3 << 20) - 1, None),
        (Bounds(memory=3 << 20), 0, 0, 3 << 20, "3 MiB"),
    ],
)
def test_the_first_bound_that_is_reached_is_named(
    bounds: Bounds, requests: int, age: float, memory: int | None, reason: str | None
) -> None:
    found = bounds.exceeded(requests, age, memory)
    assert (found is None) if reason is None else (found is not None and reason in found)


@given(st.integers(1, 10**9), st.floats(0, 1))
def test_a_workers_own_bounds_are_a_little_lower_and_never_none(bound: int, chance: float) -> None:
    own = Bounds(bound, float(bound), bound).spread(chance)
    for value in (own.requests, own.age, own.memory):
        assert bound * (1 - JITTER) - 1 <= value <= bound
    assert own.requests >= 1
    assert Bounds().spread(chance) == Bounds()
