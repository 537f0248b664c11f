"""What ends by itself: sessions with their tokens, and the streams of those who may not go on."""

import asyncio
from dataclasses import dataclass

import pytest

from endpointd.admin.followers import Followers
from endpointd.console import log_stream as module
from endpointd.console.door import Door
from endpointd.console.log_stream import log_stream
from endpointd.console.sessions import Sessions
from endpointd.journal import Journal


@dataclass
class Token:
    id: str = "t1"
    name: str = "console"
    expires_at: float | None = 2000.0


class Tokens:
    def __init__(self) -> None:
        self.all = [Token()]

    def check(self, secret: str, client: str) -> Token:
        raise AssertionError(f"nobody signs in here: {secret} {client}")

    def list(self) -> list[Token]:
        return self.all


def test_a_session_ends_with_its_token() -> None:
    tokens, now = Tokens(), [1999.0]
    sessions = Sessions(lambda: 0.0)
    door = Door(sessions, tokens, lambda: now[0])
    session, other = sessions.open("t1", "console"), sessions.open("t2", "revoked")
    assert door.is_valid(session)
    assert not door.is_valid(other)
    now[0] = 2000.0
    assert not door.is_valid(session)
    # Nor does it come back.
    tokens.all = [Token(expires_at=None)]
    assert not door.is_valid(session)


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
