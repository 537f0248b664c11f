"""The tokens of a running daemon. A change is stored first, and then takes effect. Checks use only memory."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Protocol, TypeVar

import structlog

from endpointd.access.errors import TokenExists, TokenInvalid, TokenMissing, TooManyFailures, expired, invalid
from endpointd.access.failures import Failures, client_of
from endpointd.access.limits import LONGEST_DAYS, MOST
from endpointd.access.secret import hash_of, is_same, is_secret, new_secret
from endpointd.access.views import TokenView
from endpointd.changes import Changes
from endpointd.errors import OperatorError
from endpointd.store.naming import new_id
from endpointd.store.token_records import TokenRecord, is_token_name

_DAY = 86_400.0

T = TypeVar("T")
log = structlog.get_logger()


class Store(Protocol):
    """Where tokens are stored. Blocking. A change is durable when the method has returned; if it raises, nothing was
    changed."""

    def all(self) -> list[TokenRecord]: ...

    def add(self, record: TokenRecord) -> None: ...

    def remove(self, id: str) -> None: ...  # noqa: A002  the store's own word


class Tokens:
    """Implements `TokenControl`. `now` returns the seconds since the epoch, `passed` those of a monotonic clock.

    Call `load` before anything else, and `stop` before the store is closed.
    """

    def __init__(
        self, store: Store, now: Callable[[], float] = time.time, passed: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = store
        self._now = now
        self._failures = Failures(passed)
        self._records: dict[str, TokenRecord] = {}
        self._changes = Changes(self.load)

    async def load(self) -> None:
        """Read the tokens from the store. Raises `OperatorError`."""
        self._records = {record.id: record for record in await asyncio.to_thread(self._store.all)}
        self._changes.in_doubt = False

    async def stop(self) -> None:
        """Wait until all running changes have finished."""
        await self._changes.over()

    # Checking

    def check(self, secret: str, client: str) -> TokenView:
        client = client_of(client)
        wait = self._failures.wait(client)
        if wait:
            raise TooManyFailures(wait)
        record = self._find(secret)
        if record is None:
            self._note(client, "token_invalid")
            raise invalid()
        if self._has_expired(record):
            self._note(client, "token_expired")
            raise expired()
        return _view(record)

    def is_good(self, token_id: str) -> bool:
        record = self._records.get(token_id)
        return record is not None and not self._has_expired(record)

    def _has_expired(self, record: TokenRecord) -> bool:
        return record.expires_at is not None and record.expires_at <= self._now()

    def _find(self, secret: str) -> TokenRecord | None:
        if not is_secret(secret):
            return None
        hashed = hash_of(secret)
        # All of them are compared, so that the time does not reveal which one is equal.
        found = [record for record in self._records.values() if is_same(record.hash, hashed)]
        return found[0] if found else None

    def _note(self, client: str, code: str) -> None:
        # Bounds the number of log lines that strangers can cause.
        if not self._failures.are_many:
            log.warning("access.refused", client=client, code=code)
        self._failures.note(client)

    # Listing and changing

    def list(self) -> Sequence[TokenView]:
        records = sorted(self._records.values(), key=lambda record: (record.created_at, record.id))
        return [_view(record) for record in records]

    async def create(self, name: str, *, days: int | None = None) -> tuple[TokenView, str]:
        _check(name, days)

        async def work() -> tuple[TokenView, str]:
            if any(record.name == name for record in self._records.values()):
                raise TokenExists(name)
            if len(self._records) >= MOST:
                raise OperatorError("token_too_many", f"there are {MOST} tokens already", "revoke those not in use")
            secret, now = new_secret(), self._now()
            record = TokenRecord(new_id(), name, hash_of(secret), now, None if days is None else now + days * _DAY)
            await self._changes.in_store(partial(self._store.add, record))
            self._records[record.id] = record
            log.info("token.created", token=record.id, name=name)
            return _view(record), secret

        return await self._changes.do(work)

    async def revoke(self, token_id: str) -> None:
        async def work() -> None:
            record = self._records.get(token_id)
            if record is None:
                raise TokenMissing(token_id)
            await self._changes.in_store(partial(self._store.remove, token_id))
            del self._records[token_id]
            log.info("token.revoked", token=token_id, name=record.name)

        await self._changes.do(work)


@asynccontextmanager
async def opened_tokens(store: Store) -> AsyncIterator[Tokens]:
    """The tokens in the store, which are loaded on entry and stopped on exit. Raises `OperatorError`."""
    tokens = Tokens(store)
    try:
        await tokens.load()
        yield tokens
    finally:
        await tokens.stop()


def _check(name: str, days: int | None) -> None:
    if not is_token_name(name):
        shown = re.sub(r"[^ -~]", "?", name[:80])
        raise TokenInvalid(
            "token_name_invalid",
            f"{shown!r} is no name of a token",
            "give up to 64 characters out of a-z, A-Z, 0-9 and ._@-, with a letter or a digit before all others",
        )
    if days is not None and not 1 <= days <= LONGEST_DAYS:
        raise TokenInvalid(
            "token_days_invalid",
            f"a token cannot be good for {days} days",
            f"give 1 to {LONGEST_DAYS} days, or none for one that is good until it is revoked",
        )


def _view(record: TokenRecord) -> TokenView:
    return TokenView(record.id, record.name, record.created_at, record.expires_at)
