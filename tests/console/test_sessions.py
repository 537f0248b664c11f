"""How long sessions last, and how many there may be."""

from endpointd.console.sessions import IDLE, LONGEST, MOST, NOTES, Sessions


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_session_is_found_by_its_id_alone() -> None:
    sessions = Sessions(Clock())
    session = sessions.open("t1", "console")
    assert sessions.find(session.id, by_hand=True) is session
    assert sessions.find("", by_hand=True) is None
    assert sessions.find(session.csrf, by_hand=True) is None
    assert session.id not in repr(session)
    assert session.csrf not in repr(session)


def test_it_lasts_as_long_as_it_is_used() -> None:
    clock = Clock()
    sessions = Sessions(clock)
    session = sessions.open("t1", "console")
    for _ in range(5):
        clock.now += IDLE
        assert sessions.find(session.id, by_hand=True) is session
    clock.now += IDLE + 1
    assert not sessions.is_open(session)
    assert sessions.find(session.id, by_hand=True) is None


def test_a_page_that_looks_again_by_itself_does_not_keep_it() -> None:
    clock = Clock()
    sessions = Sessions(clock)
    session = sessions.open("t1", "console")
    clock.now += IDLE
    assert sessions.find(session.id, by_hand=False) is session
    clock.now += 1
    assert sessions.find(session.id, by_hand=False) is None


def test_it_ends_however_much_it_is_used() -> None:
    clock = Clock()
    sessions = Sessions(clock)
    session = sessions.open("t1", "console")
    while clock.now - 1000 + IDLE / 2 <= LONGEST:
        clock.now += IDLE / 2
        assert sessions.find(session.id, by_hand=True) is session
    clock.now = 1000 + LONGEST + 1
    assert sessions.find(session.id, by_hand=True) is None


def test_there_are_no_more_than_so_many_and_the_least_used_goes() -> None:
    clock = Clock()
    sessions = Sessions(clock)
    first, second, *_ = [sessions.open("t1", str(number)) for number in range(MOST)]
    assert sessions.find(first.id, by_hand=True) is first
    sessions.open("t1", "one more")
    assert sessions.find(second.id, by_hand=True) is None
    assert sessions.find(first.id, by_hand=True) is first


def test_those_that_are_over_make_room() -> None:
    clock = Clock()
    sessions = Sessions(clock)
    old = [sessions.open("t1", str(number)) for number in range(MOST)]
    clock.now += IDLE + 1
    sessions.open("t1", "new")
    assert not any(sessions.is_open(one) for one in old)


def test_notes_are_said_once_and_are_not_endless() -> None:
    session = Sessions(Clock()).open("t1", "console")
    for number in range(NOTES + 2):
        session.note("good", str(number))
    assert [note.text for note in session.take_notes()] == [str(number) for number in range(2, NOTES + 2)]
    assert session.take_notes() == []
