"""Passes each session call to the storage or to a backend, and counts it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing, contextmanager
from typing import TypeAlias

from endpointd.sessions import permissions
from endpointd.sessions.backends import Find
from endpointd.sessions.caller import Caller
from endpointd.sessions.calls import SessionCall
from endpointd.sessions.errors import CallRefused
from endpointd.sessions.storage import Storage
from endpointd.sessions.tally import ANSWERED, CANCELLED, Tallies, Tally

SILENCE = 245.0
"""Seconds that a backend may take for the next item. Less than the worker's own timeout (250 s), so that the plugin is
told what was too slow; more than a backend's own clocks, whose messages say more."""

UNKNOWN = "unknown"
"""The kind under which calls of unknown kinds are counted."""

AnswerCall: TypeAlias = Callable[[Caller, SessionCall], Awaitable[None]]


class Sessions:
    """Answers the calls of all plugins."""

    def __init__(self, storage: Storage, find: Find) -> None:
        self._storage = storage
        self._find = find
        self.tallies = Tallies()

    async def answer(self, caller: Caller, call: SessionCall) -> None:
        """Answer one call of the plugin `caller`. Raises `CallRefused`."""
        # A plugin may send any text as the kind, so unknown ones are counted together.
        kind = call.kind if call.kind in permissions.NEEDS else UNKNOWN
        with self._counted(self.tallies.of(caller.plugin, kind)):
            await self._answer(caller, call)

    @contextmanager
    def _counted(self, tally: Tally) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        began, end = loop.time(), "failed"
        tally.begin()
        try:
            yield
            end = ANSWERED
        except CallRefused as refused:
            end = refused.code
            raise
        except asyncio.CancelledError:
            end = CANCELLED
            raise
        finally:
            tally.end(end, loop.time() - began)

    async def _answer(self, caller: Caller, call: SessionCall) -> None:
        permissions.check(caller, call.kind)
        if call.kind == "storage":
            await self._storage.answer(caller, call)
            return
        arguments = await call.arguments()
        # Not earlier: a reload may exchange the backends while the plugin sends the arguments.
        backend = self._find(caller, call.kind)
        async with aclosing(backend.answer(caller, call.kind, arguments, call.rest())) as items:
            await self._relay(call, items)

    async def _relay(self, call: SessionCall, items: AsyncIterator[object]) -> None:
        while True:
            try:
                async with asyncio.timeout(SILENCE):
                    item = await anext(items)
            except StopAsyncIteration:
                return
            except TimeoutError:
                text = f"what answers {call.kind} calls has sent nothing for {SILENCE:g} s"
                raise CallRefused("timeout", text) from None
            await call.reply(item)


async def refuse(caller: Caller, call: SessionCall) -> None:
    """An `AnswerCall` that refuses all calls: for `endpointd check` and the like, where no backend is configured."""
    permissions.check(caller, call.kind)
    raise CallRefused("unconfigured", "calls of plugins are answered when the daemon serves them, not here")
