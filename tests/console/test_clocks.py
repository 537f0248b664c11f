"""What ends by itself: sessions with their tokens, and the streams of those who may not go on."""

import asyncio

import pytest

from endpointd.access.secret import hash_of, new_secret
from endpointd.access.tokens import Tokens
from endpointd.admin.followers import Followers
from endpointd.console import log_stream as module
from endpointd.console.door import Door
from endpointd.console.log_stream import log_stream
from endpointd.console.sessions import Sessions
from endpointd.logs.journal import Journal
from endpointd.store.token_records import TokenRecord


class Stored:
    """Two tokens, one of which expires."""

    def __init__(self) -> None:
        expiring = TokenRecord("1" * 32, "console", hash_of(new_secret()), 1.0, 2000.0)
        self.records = [expiring, TokenRecord("2" * 32, "lasting", hash_of(new_secret()), 1.0, None)]

    def all(self) -> list[TokenRecord]:
        return self.records

    def add(self, record: TokenRecord) -> None:
        raise AssertionError(record)

    def remove(self, id: str) -> None:  # noqa: A002
        """Only what is in memory counts here."""


def test_a_session_ends_with_its_token() -> None:
    now = [1999.0]

    async def story() -> None:
        tokens = Tokens(Stored(), lambda: now[0])
        await tokens.load()
        sessions = Sessions(lambda: 0.0)
        door = Door(sessions, tokens)
        expiring, lasting = sessions.open("1" * 32, "console"), sessions.open("2" * 32, "lasting")
        assert door.is_valid(expiring)
        assert door.is_valid(lasting)
        assert not door.is_valid(sessions.open("3" * 32, "unknown"))
        now[0] = 2000.0
        assert not door.is_valid(expiring)
        # Nor does it come back.
        now[0] = 1999.0
        assert not door.is_valid(expiring)
        await tokens.revoke("2" * 32)
        assert not door.is_valid(lasting)

    asyncio.run(story())


async def _collect(journal: Journal, followers: Followers, *, may_go_on: bool) -> list[bytes]:
    answer = log_stream(journal, followers, lambda: may_go_on)
    async with asyncio.timeout(10):
        return [bytes(piece) async for piece in answer.body_iterator]  # type: ignore[arg-type]


def test_a_log_ends_for_who_may_not_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BEAT", 0.01)
    journal = Journal(now=lambda: 0.0)
    journal.append("output", "the only line")
    begin, line, *_, over = asyncio.run(_collect(journal, Followers(), may_go_on=False))
    assert begin.startswith(b"event: begin\n")
    assert b"the only line" in line
    assert over.startswith(b"event: over\n")
    assert journal.followers == 0


def test_a_log_ends_with_the_daemon() -> None:
    async def main() -> list[bytes]:
        followers = Followers()
        following = asyncio.create_task(_collect(Journal(now=lambda: 0.0), followers, may_go_on=True))
        await asyncio.sleep(0)
        followers.close()
        return await following

    assert [piece.split(b"\n")[0] for piece in asyncio.run(main())] == [b"event: begin", b"event: over"]


def test_a_quiet_log_says_that_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BEAT", 0.01)

    async def main() -> bytes:
        answer = log_stream(Journal(now=lambda: 0.0), Followers(), lambda: True)
        pieces = aiter(answer.body_iterator)
        await anext(pieces)
        async with asyncio.timeout(10):
            beat = await anext(pieces)
        await pieces.aclose()  # type: ignore[attr-defined]
        return bytes(beat)  # type: ignore[arg-type]

    assert asyncio.run(main()) == b": still here\n\n"
