"""Asking a backend as the daemon does, without a worker."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Mapping
from contextlib import aclosing
from typing import Any, TypeVar

from endpointd.backends.lines import Line, line_of
from endpointd.manifest.model import NO_PERMISSIONS
from endpointd.sessions.backends import Backend as Answering
from endpointd.sessions.caller import Caller
from endpointd.settings.backends import BACKENDS, Backend, secrets_of

CALLER = Caller("acme/bot", NO_PERMISSIONS)
T = TypeVar("T")


def settings_of(kind: str, **values: object) -> Backend:
    return BACKENDS[kind].model_validate({"type": kind, **values})


class Asking:
    """A backend of these settings, whose secrets are the names of the places where they are said to be."""

    def __init__(self, settings: Backend) -> None:
        self._settings = settings

    def line(self) -> Line:
        secrets = {key: place.name for key, place in secrets_of(self._settings).items()}
        return line_of("it", self._settings, secrets)

    def __call__(self, kind: str, arguments: Mapping[str, Any], body: bytes = b"") -> list[Any]:
        """All items of the answer."""

        async def ask(line: Line) -> list[Any]:
            return await everything(line, kind, arguments, body)

        return self.run(ask)

    def run(self, use: Callable[[Line], Coroutine[Any, Any, T]]) -> T:
        async def bounded() -> T:
            async with asyncio.timeout(20):
                line = self.line()
                try:
                    return await use(line)
                finally:
                    await line.close_when_idle()

        return asyncio.run(bounded())


async def everything(line: Answering, kind: str, arguments: Mapping[str, Any], body: bytes = b"") -> list[Any]:
    async with aclosing(answer(line, kind, arguments, body)) as items:
        return [item async for item in items]


def answer(line: Answering, kind: str, arguments: Mapping[str, Any], body: bytes = b"") -> AsyncGenerator[Any, None]:
    return line.answer(CALLER, kind, arguments, pieces(body))


async def pieces(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), 60_000):
        yield body[start : start + 60_000]
