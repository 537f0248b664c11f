"""Tokens with a real store: made, checked, revoked, and still there for the next daemon."""

import asyncio
import hmac
import re
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
import structlog

from endpointd.access.errors import AccessRefused, TokenExists, TokenInvalid, TokenMissing, TooManyFailures
from endpointd.access.failures import OF_ALL, OF_ONE, WINDOW
from endpointd.access.tokens import Tokens
from endpointd.errors import OperatorError
from endpointd.sealing.keyring import KEY_BYTES, Key, Keyring
from endpointd.store.endpoint_store import EndpointStore

DAY = 86_400


class World:
    """A database, and clocks that stand until they are moved."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.store = EndpointStore.open(file, Keyring([Key(b"k" * KEY_BYTES)]))
        self.now = 1_700_000_000.0
        self.passed = 50.0

    def run(self, story: Callable[[Tokens], Awaitable[None]]) -> None:
        async def main() -> None:
            tokens = Tokens(self.store.tokens, lambda: self.now, lambda: self.passed)
            await tokens.load()
            await story(tokens)
            await tokens.stop()

        asyncio.run(main())


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path / "endpointd.db")
    yield world
    world.store.close()


def refused(tokens: Tokens, secret: str, client: str = "192.0.2.1") -> str:
    with pytest.raises((AccessRefused, TooManyFailures)) as caught:
        tokens.check(secret, client)
    assert not secret or secret not in str(caught.value)
    return caught.value.code


def test_a_token_lets_in_until_it_is_revoked_also_after_a_new_start(world: World) -> None:
    secrets: list[str] = []

    async def make(tokens: Tokens) -> None:
        view, secret = await tokens.create("ci")
        assert tokens.check(secret, "192.0.2.1") == view
        assert tokens.list() == [view]
        secrets.append(secret)

    async def use_and_revoke(tokens: Tokens) -> None:
        [secret] = secrets
        view = tokens.check(secret, "192.0.2.1")
        assert view.name == "ci"
        await tokens.revoke(view.id)
        assert refused(tokens, secret) == "token_invalid"
        with pytest.raises(TokenMissing):
            await tokens.revoke(view.id)

    async def nothing_is_left(tokens: Tokens) -> None:
        assert tokens.list() == []
        assert refused(tokens, secrets[0]) == "token_invalid"

    for story in (make, use_and_revoke, nothing_is_left):
        world.run(story)


def test_a_secret_is_long_and_by_chance_and_nowhere_on_the_disk(world: World) -> None:
    async def story(tokens: Tokens) -> None:
        made = [(await tokens.create(f"t{number}"))[1] for number in range(5)]
        assert len(set(made)) == 5
        content = b"".join(path.read_bytes() for path in world.file.parent.iterdir())
        assert b"t4" in content
        for secret in made:
            assert re.fullmatch(r"endpointd_[A-Za-z0-9_-]{43}", secret)
            assert secret.removeprefix("endpointd_").encode() not in content

    world.run(story)


def test_nearly_right_is_wrong(world: World) -> None:
    async def story(tokens: Tokens) -> None:
        _, secret = await tokens.create("ci")
        last = "A" if secret[-1] != "A" else "B"
        for number, wrong in enumerate(
            (secret[:-1], secret + "A", secret[:-1] + last, secret.removeprefix("endpointd_"), "", "x" * 10_000_000)
        ):
            assert refused(tokens, wrong, f"192.0.2.{number}") == "token_invalid"

    world.run(story)


def test_the_time_of_a_check_tells_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every hash is compared, also behind the one that fits, and each by what takes the same time for all."""
    compared: list[str] = []

    def compare(one: str, other: str) -> bool:
        compared.append(one)
        return digest(one, other)

    digest = hmac.compare_digest
    monkeypatch.setattr(hmac, "compare_digest", compare)

    async def story(tokens: Tokens) -> None:
        made = [await tokens.create(name) for name in ("first", "second", "third")]
        hashes = [record.hash for record in world.store.tokens.all()]
        for _, secret in made:
            compared.clear()
            tokens.check(secret, "192.0.2.1")
            assert sorted(compared) == sorted(hashes)

    world.run(story)


def test_a_token_expires(world: World) -> None:
    async def story(tokens: Tokens) -> None:
        view, secret = await tokens.create("ci", days=2)
        assert view.expires_at == world.now + 2 * DAY
        world.now += 2 * DAY - 1
        assert tokens.check(secret, "192.0.2.1") == view
        world.now += 1
        assert refused(tokens, secret) == "token_expired"
        assert tokens.list() == [view]

    world.run(story)


def test_guessing_is_ended_for_the_client_alone_and_even_for_the_right_token(world: World) -> None:
    async def story(tokens: Tokens) -> None:
        _, secret = await tokens.create("ci")
        for _ in range(OF_ONE):
            assert refused(tokens, "a-guess") == "token_invalid"
        with pytest.raises(TooManyFailures) as caught:
            tokens.check(secret, "192.0.2.1")
        assert caught.value.retry_after == WINDOW
        assert tokens.check(secret, "192.0.2.2").name == "ci"
        world.passed += WINDOW
        assert tokens.check(secret, "192.0.2.1").name == "ci"

    world.run(story)


def test_addresses_of_one_ipv6_network_fail_together(world: World) -> None:
    async def story(tokens: Tokens) -> None:
        for number in range(OF_ONE):
            assert refused(tokens, "a-guess", f"2001:db8::{number:x}") == "token_invalid"
        assert refused(tokens, "a-guess", "2001:db8::ffff") == "access_limited"

    world.run(story)


def test_strangers_cannot_fill_the_log_nor_read_secrets_in_it(world: World) -> None:
    async def story(tokens: Tokens) -> None:
        with structlog.testing.capture_logs() as logged:
            _, secret = await tokens.create("ci")
            for number in range(OF_ALL * 2):
                refused(tokens, "wrong-secret", f"10.0.{number // 256}.{number % 256}")
        assert sum(event["event"] == "access.refused" for event in logged) == OF_ALL
        assert "wrong-secret" not in str(logged)
        assert secret not in str(logged)

    world.run(story)


def test_two_cannot_have_one_name_and_some_names_and_times_cannot_be(world: World) -> None:
    async def story(tokens: Tokens) -> None:
        made = await asyncio.gather(*(tokens.create("ci") for _ in range(3)), return_exceptions=True)
        assert [type(one) for one in made if isinstance(one, Exception)] == [TokenExists, TokenExists]
        for name in ("", "two words", "-x", "a" * 65, "ü", "a\nb"):
            with pytest.raises(TokenInvalid, match="no name of a token"):
                await tokens.create(name)
        for days in (0, -1, 3651, 10**30):
            with pytest.raises(TokenInvalid, match="cannot be good for"):
                await tokens.create("other", days=days)
        assert len(tokens.list()) == 1

    world.run(story)


def test_a_change_goes_on_to_its_end_when_nobody_waits_for_it(world: World) -> None:
    async def story(tokens: Tokens) -> None:
        making = asyncio.create_task(tokens.create("ci"))
        await asyncio.sleep(0)
        assert tokens._changes._doing
        making.cancel()
        await tokens.stop()
        assert [view.name for view in tokens.list()] == ["ci"]
        assert [record.name for record in world.store.tokens.all()] == ["ci"]

    world.run(story)


def test_what_the_store_refuses_is_not_in_effect_and_what_others_have_changed_is_found(world: World) -> None:
    async def story(tokens: Tokens) -> None:
        view, _ = await tokens.create("ci")
        world.store.tokens.remove(view.id)
        with pytest.raises(OperatorError, match="no token"):
            await tokens.revoke(view.id)
        await tokens.create("other")
        assert [one.name for one in tokens.list()] == ["other"]

    world.run(story)
