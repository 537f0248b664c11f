"""How often one may fail, in a time that the tests make."""

import pytest

from endpointd.access import failures
from endpointd.access.failures import CLIENTS, OF_ALL, OF_ONE, WINDOW, Failures, client_of


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def fail(found: Failures, client: str, times: int = 1) -> None:
    for _ in range(times):
        assert found.wait(client) == 0
        found.note(client)


def test_who_has_failed_too_often_waits_until_the_first_failure_is_forgotten(clock: Clock) -> None:
    found = Failures(clock)
    fail(found, "a")
    clock.now += 20.5
    fail(found, "a", OF_ONE - 1)
    assert found.wait("a") == 40
    assert found.wait("b") == 0
    clock.now += WINDOW - 20.5 - 0.1
    assert found.wait("a") == 1
    clock.now += 0.1
    fail(found, "a")
    assert found.wait("a") == 21


def test_all_together_are_bounded_but_nobody_is_shut_out_by_others(clock: Clock) -> None:
    found = Failures(clock)
    for number in range(OF_ALL):
        fail(found, f"client {number}")
    assert found.are_many
    assert found.wait("client 0") == WINDOW
    assert found.wait("an operator") == 0
    clock.now += WINDOW
    assert [found.are_many, found.wait("client 0")] == [False, 0]


def test_what_is_kept_is_bounded(clock: Clock) -> None:
    found = Failures(clock)
    fail(found, "first", OF_ONE)
    for number in range(CLIENTS * 2):
        found.note(f"client {number}")
    assert len(found._clients) == CLIENTS
    assert len(found._all) == OF_ALL
    for _ in range(OF_ONE * 2):
        found.note("last")
    assert len(found._clients["last"]) == OF_ONE


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("x" * 100, "x" * 64),
    ],
)
def test_addresses_that_one_can_choose_among_are_one_client(address: str, client: str) -> None:
    assert client_of(address) == client
    assert failures.client_of("2001:db8:1:3::") != client
