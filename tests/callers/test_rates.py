"""How often an endpoint may be called."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from endpointd.callers.buckets import Buckets
from endpointd.callers.rates import UNITS, Rate, kept_rate, read_rate

RATES = st.builds(Rate, st.integers(1, 50), st.sampled_from(sorted(UNITS)), st.integers(1, 20), st.booleans())


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("10/s", "10/s"),
        (" 10 per Second ", "10/s"),
        ("100/min", "100/min"),
        ("100/m burst 20", "100/min burst 20"),
        ("5/hour burst 5", "5/h"),
        ("1000/day   overall", "1000/d overall"),
        ("3/s burst 9 overall", "3/s burst 9 overall"),
        ("Unlimited", "unlimited"),
    ],
)
def test_rates_are_kept_in_one_way(text: str, kept: str) -> None:
    assert kept_rate(text) == kept == kept_rate(kept)


@given(RATES)
def test_a_rate_is_read_as_it_is_written(rate: Rate) -> None:
    assert read_rate(str(rate)) == rate


@pytest.mark.parametrize(
    "text", ["", "10", "10/", "s", "0/s", "1/s burst 0", "-1/s", "1.5/s", "10/w", "1000001/s", "1/s 2"]
)
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="rate"):
        read_rate(text)


def test_a_burst_is_answered_and_then_one_by_one() -> None:
    buckets, rate = Buckets(), Rate(2, "s", 3)
    assert [buckets.take("e", "a", rate, 100.0) for _ in range(5)] == [0, 0, 0, 0.5, 0.5]
    assert buckets.take("e", "a", rate, 100.4) == pytest.approx(0.1)
    assert buckets.take("e", "a", rate, 100.5) == 0
    assert buckets.take("e", "a", rate, 100.5) == 0.5
    # Left alone for long, it is full and no more than that.
    assert [buckets.take("e", "a", rate, 900.0) for _ in range(4)] == [0, 0, 0, 0.5]


def test_clients_and_endpoints_have_buckets_of_their_own() -> None:
    buckets, rate = Buckets(), Rate(1, "h", 1)
    assert [buckets.take(*key, rate, 0.0) for key in (("e", "a"), ("e", "b"), ("f", "a"))] == [0, 0, 0]
    assert buckets.take("e", "a", rate, 1.0) == 3599


def test_a_higher_rate_holds_at_once() -> None:
    buckets = Buckets()
    buckets.take("e", "a", Rate(1, "d", 1), 0.0)
    assert buckets.take("e", "a", Rate(10, "s", 10), 0.0) <= 0.1


def test_the_table_has_a_bound_and_forgets_the_oldest() -> None:
    buckets, rate = Buckets(most=3), Rate(1, "h", 1)
    for client in "abcd":
        assert buckets.take("e", client, rate, 0.0) == 0
    assert len(buckets) == 3
    assert buckets.take("e", "b", rate, 1.0) > 0
    assert buckets.take("e", "a", rate, 1.0) == 0
    # Whoever is refused is not in the table anew: it would keep the others out.
    assert len(buckets) == 3


@given(RATES, st.lists(st.floats(0, 5), min_size=1, max_size=60))
def test_never_more_than_the_rate_and_whoever_waits_as_told_is_answered(rate: Rate, pauses: list[float]) -> None:
    buckets, now = Buckets(), 1000.0
    for taken, pause in enumerate(pauses, 1):
        now += pause * rate.interval
        wait = buckets.take("e", "a", rate, now)
        if wait:
            now += wait
            assert buckets.take("e", "a", rate, now) == 0
        assert taken <= rate.burst + (now - 1000.0) / rate.interval + 1e-3
