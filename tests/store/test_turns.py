"""Whoever has waited longest is next; who gives up is left out, and no turn is lost."""

import threading

import pytest

from endpointd.errors import OperatorError
from endpointd.store import engines
from endpointd.store.turns import Turns, TurnTooLate, turns_of
from store.conftest import Place, opened, record
from support.eventually import eventually

PATIENCE = 10.0


def waits(turns: Turns, count: int) -> None:
    eventually(lambda: len(turns._waiting) == count)


def test_turns_come_in_the_order_in_which_they_were_asked_for() -> None:
    turns, served = Turns(), []

    def work(number: int) -> None:
        with turns.one(PATIENCE):
            served.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    with turns.one(PATIENCE):
        for number, thread in enumerate(threads):
            thread.start()
            waits(turns, number + 1)
        # Who asks again and again comes behind those who wait.
    for _ in range(3):
        with turns.one(PATIENCE):
            served.append(-1)
    for thread in threads:
        thread.join()
    assert [number for number in served if number >= 0] == list(range(8))


def test_who_gives_up_is_left_out() -> None:
    turns, served = Turns(), threading.Event()

    def work() -> None:
        with turns.one(PATIENCE):
            served.set()

    thread = threading.Thread(target=work)
    with turns.one(PATIENCE):
        with pytest.raises(TurnTooLate), turns.one(0.01):
            pass
        thread.start()
        waits(turns, 1)
    assert served.wait(PATIENCE)
    thread.join()
    with turns.one(0):
        pass


def test_an_error_gives_the_turn_back() -> None:
    turns = Turns()
    with pytest.raises(ZeroDivisionError), turns.one(PATIENCE):
        raise ZeroDivisionError
    with turns.one(0):
        pass


def test_an_endpoint_that_gets_no_turn_is_refused_and_all_who_write_to_a_file_share_turns(
    in_file: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(in_file) as store:
        assert in_file.file is not None
        monkeypatch.setattr(engines, "PATIENCE", 0.01)
        with turns_of(in_file.file).one(PATIENCE), pytest.raises(OperatorError) as caught:
            store.add(record())
        assert caught.value.code == "database_busy"
        store.add(record())
