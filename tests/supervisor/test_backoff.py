"""How long is waited before another try."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from endpointd.supervisor.backoff import FIRST_DELAY, JITTER, delay

FAILURES = st.integers(1, 10**9)
LONGEST = st.floats(0, 3600)
CHANCE = st.floats(0, 1)


@given(FAILURES, LONGEST, CHANCE)
def test_it_is_never_longer_than_the_longest(failures: int, longest: float, chance: float) -> None:
    # A rounding error of the last digit is allowed.
    assert 0 <= delay(failures, longest, chance) <= longest * (1 + 1e-12)


@given(FAILURES, LONGEST, CHANCE, CHANCE)
def test_chance_makes_it_longer_or_shorter_by_a_share(failures: int, longest: float, one: float, two: float) -> None:
    shorter, longer = sorted((delay(failures, longest, one), delay(failures, longest, two)))
    assert longer <= shorter * (1 + JITTER) / (1 - JITTER) + 1e-12


@given(FAILURES, LONGEST)
def test_it_grows_with_the_failures(failures: int, longest: float) -> None:
    assert delay(failures, longest, 0.5) <= delay(failures + 1, longest, 0.5)


def test_the_first_try_is_at_once() -> None:
    assert delay(1, 60, 1.0) == 0


@pytest.mark.parametrize(("failures", "seconds"), [(2, 1), (3, 2), (4, 4), (5, 8)])
def test_it_doubles(failures: int, seconds: float) -> None:
    assert delay(failures, 60, 0.5) == pytest.approx(FIRST_DELAY * seconds)


def test_chance_still_matters_at_the_longest() -> None:
    """Else all plugins that fell together would rise together, after a while."""
    assert delay(100, 60, 0.0) == pytest.approx(40)
    assert delay(100, 60, 1.0) == pytest.approx(60)
