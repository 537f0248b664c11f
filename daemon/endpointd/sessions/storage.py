"""Answers calls of `session.storage`, from values in a database or in memory.

All work on values is done in threads, of which each plugin may use only a few, so that a plugin that stores much delays
only itself. A large value is completely in memory while it is transferred, but only one of each plugin at a time.
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
"""The most bytes of a key, in UTF-8."""

LARGE = 1024 * 1024
"""A value of more bytes is large."""

ANY = 1 << 31
"""More bytes than any value can have. Not the quota, which may have been larger when the value was stored."""

AT_ONCE = 4
"""How many calls of one plugin access values at once; also the number of threads, for all plugins together."""


ARRIVAL = 30.0
"""Seconds that the next piece of a value may take to come: a worker that hangs must not keep its successor from storing
a large value."""


MAX_KEYS = 100_000
"""The most keys of one plugin. They are limited separately because they do not count towards its quota of bytes."""


class QuotaExceeded(Exception):
    """There is no room for the value; nothing was changed. `free` are the bytes that are left, `keys` the keys."""

    def __init__(self, free: int, keys: int) -> None:
        super().__init__(free, keys)
        self.free = free
        self.keys = keys


@dataclass(frozen=True, slots=True)
class Value:
    """What is stored under a key. `pieces` is None if it is larger than the caller's limit."""

    size: int
    pieces: list[bytes] | None


class Values(Protocol):
    """Where values are kept, by plugin and key. Blocking and thread-safe.

    When a method returns, its change is durable; when it raises, nothing was changed. All methods raise `OperatorError`
    if the values cannot be reached.
    """

    def get(self, plugin: str, key: bytes, at_most: int) -> Value | None:
        """The value, without its pieces if it has more than `at_most` bytes; None if there is none."""

    def set(self, plugin: str, key: bytes, pieces: list[bytes], quota: int) -> None:
        """Store a value. Raises `QuotaExceeded` if the plugin's values would have more than `quota` bytes in all, or
        more than `MAX_KEYS` keys."""

    def delete(self, plugin: str, key: bytes) -> bool:
        """Delete a value. Returns whether there was one."""

    def exists(self, plugin: str, key: bytes) -> bool: ...
    def close(self) -> None: ...


@dataclass(slots=True)
class _Turns:
    """Limits what the calls of one plugin do at the same time."""

    any: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    large: asyncio.Lock = field(default_factory=asyncio.Lock)


class Storage:
    """Answers all storage calls. `open` is called in a thread when a plugin first uses the storage. `limit` returns the
    most bytes that any plugin may store, whatever its manifest asks for."""

    def __init__(self, open: Callable[[], Values], limit: Callable[[], int]) -> None:  # noqa: A002 - the word for it
        self._open = open
        self._limit = limit
        self._values: Values | None = None
        self._opening = asyncio.Lock()
        self._turns: dict[str, _Turns] = {}
        self._threads = ThreadPoolExecutor(AT_ONCE, "endpointd-storage")

    async def close(self) -> None:
        """Finish what is being written, and close the values. No call may come any more."""
        await asyncio.to_thread(self._threads.shutdown)
        if self._values is not None:
            self._values.close()

    async def answer(self, caller: Caller, call: SessionCall) -> None:
        """Answer one storage call. Raises `CallRefused`."""
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
        """Run `work` in a thread and return its result. Work that has started is finished even if this is cancelled.
        Raises `CallRefused` if the values cannot be reached."""
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
                # An empty piece does not show that the rest is coming, so it does not restart the clock. Pieces are
                # joined as they come, because a list of many small ones would take more memory than their bytes.
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
