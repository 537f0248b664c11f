"""When a worker is asked, doubted and given up."""

from endpointd.supervisor.pings import DOUBT, Pings


def test_it_is_asked_twice_within_its_clock() -> None:
    pings = Pings(10)
    pings.answered(100.0)
    assert not pings.is_due(104.9)
    assert pings.is_due(105.0)


def test_it_is_doubted_first_and_given_up_at_its_clock() -> None:
    pings = Pings(10)
    pings.sent(100.0)
    looks = (100.0 + DOUBT, 100.1 + DOUBT, 110.0, 110.1)
    seen = [(pings.look(now), pings.is_doubtful, pings.is_over) for now in looks]
    assert seen == [(False, False, False), (False, True, False), (False, True, False), (True, True, True)]


def test_an_answer_ends_the_doubt_and_says_so_once() -> None:
    pings = Pings(10)
    assert not pings.answered(1.0)
    pings.doubt()
    pings.sent(2.0)
    was = pings.is_doubtful
    assert pings.answered(3.0)
    assert not pings.answered(3.1)
    assert (was, pings.is_doubtful) == (True, False)
    assert not pings.look(100.0)


def test_a_second_ping_gives_no_more_time() -> None:
    pings = Pings(10)
    pings.sent(100.0)
    pings.sent(109.0)
    assert pings.look(110.1)


def test_without_a_clock_nobody_asks() -> None:
    pings = Pings(0)
    assert not pings.is_due(1e9)
    pings.doubt()
    pings.sent(0.0)
    assert not pings.look(1e9)
    assert pings.is_doubtful
