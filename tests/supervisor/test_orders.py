"""What the next worker is to run, and what there is to go back to."""

from endpointd.supervisor.orders import Orders
from support.fake_worker import order

FIRST, SECOND = order("v1"), order("v2")


def test_what_was_proved_is_gone_back_to_and_the_other_stays_wanted() -> None:
    orders = Orders(FIRST)
    orders.prove(FIRST)
    orders.ask_for(SECOND)
    assert (orders.current, orders.is_behind) == (SECOND, False)
    orders.go_back()
    assert (orders.current, orders.wanted, orders.is_behind) == (FIRST, SECOND, True)


def test_there_is_nothing_better_than_what_has_failed_before_anything_else_is_proved() -> None:
    orders = Orders(FIRST)
    assert not orders.has_better(FIRST)
    orders.prove(FIRST)
    assert not orders.has_better(FIRST)
    assert orders.has_better(SECOND)
