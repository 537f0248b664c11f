"""`session.storage`: what plugins keep, answered from values in a database or in memory.

All work on values is done in threads, few for each plugin, so that a plugin with much to store delays itself alone. A
large value is held in memory while it is on its way, one of each plugin at a time.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import structlog

from endpointd.errors import OperatorError
from endpointd.sessions.caller import Caller
from endpointd.sessions.calls import SessionCall
from endpointd.sessions.errors import CallRefused

T = TypeVar("T")

log = structlog.get_logger()

LONGEST_KEY = 256
"""Bytes of a key, in UTF-8."""

LARGE = 1024 * 1024
"""Bytes from which on a value is large."""

ANY = 1 << 31
"""More bytes than any value has: the quota may have been larger when it was stored."""

AT_ONCE = 4
"""Calls of one plugin that are worked on at once; others wait. Also the threads for all plugins."""


ARRIVAL = 30.0
"""Seconds that the next piece of a value may take: a worker that hangs must not keep the next one from storing."""


MAX_KEYS = 100_000
"""Keys of one plugin: they do not count as its bytes, and are to be bounded all the same."""


class QuotaExceeded(Exception):
    """There is no room for the value; nothing was changed. `free` is in bytes."""

    def __init__(self, free: int, keys: int) -> None:
        super().__init__(free, keys)
        self.free = free
        self.keys = keys


@dataclass(frozen=True, slots=True)
class Value:
    """What is stored under a key. `pieces` is None when it is larger than was asked for."""

    size: int
    pieces: list[bytes] | None


class Values(Protocol):
    """Where values are kept, by plugin and key. Blocking, and safe for threads. What a method has done is durable when
    it returns, and is nothing when it raises: `OperatorError`, which says why the values cannot be reached."""

    def get(self, plugin: str, key: bytes, at_most: int) -> Value | None: ...
    def set(self, plugin: str, key: bytes, pieces: list[bytes], quota: int) -> None:
        """Raises `QuotaExceeded`: all values of the plugin would have more than `quota` bytes."""

    def delete(self, plugin: str, key: bytes) -> bool:
        """Whether there was a value."""

    def exists(self, plugin: str, key: bytes) -> bool: ...
    def close(self) -> None: ...


@dataclass(slots=True)
class _Turns:
    """How a plugin's calls wait for each other."""

    any: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    large: asyncio.Lock = field(default_factory=asyncio.Lock)


class Storage:
    """`open` is called in a thread, when a plugin stores or reads for the first time. `limit` tells what a plugin may
    store at most, whatever it asks for, in bytes."""

    def __init__(self, open: Callable[[], Values], limit: Callable[[], int]) -> None:  # noqa: A002 - the word for it
        self._open = open
        self._limit = limit
        self._values: Values | None = None
        self._opening = asyncio.Lock()
        self._turns: dict[str, _Turns] = {}
        self._threads = ThreadPoolExecutor(AT_ONCE, "endpointd-storage")

    async def close(self) -> None:
        """Let what is being written be written. No call may come any more."""
        await asyncio.to_thread(self._threads.shutdown)
        if self._values is not None:
            self._values.close()

    async def answer(self, caller: Caller, call: SessionCall) -> None:
        """Raises `CallRefused`."""
        arguments = await call.arguments()
        turns = self._turns.setdefault(caller.plugin, _Turns())
        what, key = arguments.get("opt"), _key(arguments)
        match what:
            case "get":
                await self._get(caller, turns, key, call)
            case "set":
                await self._set(caller, turns, key, arguments, call)
            case "del":
                if not await self._do(caller, turns, lambda values: values.delete(caller.plugin, key)):
                    raise _missing(key)
            case "exist":
                await call.reply(await self._do(caller, turns, lambda values: values.exists(caller.plugin, key)))
            case _:
                raise CallRefused("invalid", f"the storage cannot {str(what)[:80]!r}; it can get, set, del and exist")

    async def _get(self, caller: Caller, turns: _Turns, key: bytes, call: SessionCall) -> None:
        found = await self._do(caller, turns, lambda values: values.get(caller.plugin, key, LARGE))
        if found is not None and found.pieces is None:
            async with turns.large:
                found = await self._do(caller, turns, lambda values: values.get(caller.plugin, key, ANY))
                await _reply(call, key, found)
            return
        await _reply(call, key, found)

    async def _set(
        self, caller: Caller, turns: _Turns, key: bytes, arguments: Mapping[str, Any], call: SessionCall
    ) -> None:
        if not 0 < len(key) <= LONGEST_KEY:
            raise CallRefused("invalid", f"a key has 1 to {LONGEST_KEY} bytes, not {len(key)}")
        quota, size = self._quota(caller), arguments.get("size")
        if type(size) is not int or size < 0:
            raise CallRefused("invalid", "the size of the value is not announced")
        if size > quota:
            raise _full(caller, size, quota, quota)
        async with _permit(turns, large=size > LARGE):
            pieces = await _receive(call, size)
            try:
                await self._do(caller, turns, lambda values: values.set(caller.plugin, key, pieces, quota))
            except QuotaExceeded as error:
                if error.keys <= 0:
                    text = f"{caller.plugin} has {MAX_KEYS} keys already; delete some"
                    raise CallRefused("quota", text) from None
                raise _full(caller, size, quota, error.free) from None

    def _quota(self, caller: Caller) -> int:
        return min(caller.permissions.storage_size, self._limit())

    async def _do(self, caller: Caller, turns: _Turns, work: Callable[[Values], T]) -> T:
        """In a thread. What was begun there is finished, also when nobody waits for it any more."""
        try:
            async with turns.any:
                values = await self._opened()
                return await asyncio.get_running_loop().run_in_executor(self._threads, work, values)
        except OperatorError as error:
            log.warning("storage.failed", plugin=caller.plugin, code=error.code, message=error.message)
            raise CallRefused(
                "failed", f"the daemon's storage cannot be used: {error.message} [{error.code}]"
            ) from None

    async def _opened(self) -> Values:
        async with self._opening:
            if self._values is None:
                self._values = await asyncio.get_running_loop().run_in_executor(self._threads, self._open)
            return self._values


@asynccontextmanager
async def _permit(turns: _Turns, *, large: bool) -> AsyncIterator[None]:
    if large:
        async with turns.large:
            yield
    else:
        yield


async def _receive(call: SessionCall, size: int) -> list[bytes]:
    value = bytearray()
    try:
        async with asyncio.timeout(ARRIVAL) as clock:
            async for piece in call.rest():
                # What is empty is no sign that the rest is on its way; what is small is not to be kept as it came.
                if not piece:
                    continue
                clock.reschedule(asyncio.get_running_loop().time() + ARRIVAL)
                value += piece
                if len(value) > size:
                    break
    except TimeoutError:
        raise CallRefused("timeout", f"the rest of the value has not come for {ARRIVAL:g} s") from None
    if len(value) != size:
        raise CallRefused("invalid", f"the value has not the {size} bytes that were announced")
    return [bytes(value)]


async def _reply(call: SessionCall, key: bytes, found: Value | None) -> None:
    if found is None or found.pieces is None:
        raise _missing(key)
    for piece in found.pieces:
        await call.reply(piece)


def _key(arguments: Mapping[str, Any]) -> bytes:
    key = arguments.get("key")
    if not isinstance(key, str):
        raise CallRefused("invalid", "a key of the storage is a str")
    try:
        return key.encode()
    except UnicodeEncodeError:
        raise CallRefused("invalid", f"{key[:80]!r} is no key: it cannot be written in UTF-8") from None


def _missing(key: bytes) -> CallRefused:
    shown = key[:LONGEST_KEY].decode(errors="replace")
    return CallRefused("missing", f"nothing is stored under the key {shown!r}: it was never set, or was deleted")


def _full(caller: Caller, size: int, quota: int, free: int) -> CallRefused:
    return CallRefused(
        "quota",
        f"{caller.plugin} may store {quota} bytes in all, of which {free} are free for this value of {size};"
        " delete something, or raise resource: permission: storage: size in the manifest (and limit_storage, if"
        " that is less)",
    )
