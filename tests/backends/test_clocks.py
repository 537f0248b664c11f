"""Slow backends, in virtual time: each wait has its clock, and the error names it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import aclosing
from typing import Any

import httpx
import pytest

from endpointd.backends.dify_inner import DifyInnerBackend
from endpointd.backends.files import received
from endpointd.backends.http import Http
from endpointd.sessions.errors import CallRefused
from endpointd.settings.backends import DifyInner
from support.asking import CALLER, pieces, settings_of
from support.stand_in_dify import enveloped
from support.virtual_time import run_in_virtual_time

Send = Callable[[httpx.Request], Coroutine[Any, Any, httpx.Response]]


@pytest.fixture(autouse=True)
def _no_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Virtual time does not wait for them."""

    async def inline(work: Callable[..., object], *arguments: object) -> object:
        return work(*arguments)

    monkeypatch.setattr(asyncio, "to_thread", inline)


class Body(httpx.AsyncByteStream):
    """Pieces, each after some seconds; httpx's own transport has the clock between them, as this one has."""

    def __init__(self, steps: list[tuple[float, bytes]], clock: float) -> None:
        self._steps = steps
        self._clock = clock
        self.is_closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for seconds, piece in self._steps:
            if seconds > self._clock:
                await asyncio.sleep(self._clock)
                raise httpx.ReadTimeout("")
            await asyncio.sleep(seconds)
            yield piece

    async def aclose(self) -> None:
        self.is_closed = True


class Slow(httpx.AsyncBaseTransport):
    """Takes `connecting` seconds to be connected with, and the pauses of `steps` before each piece."""

    def __init__(self, steps: list[tuple[float, bytes]], connecting: float = 0) -> None:
        self._steps = steps
        self._connecting = connecting
        self.body: Body | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        clocks = request.extensions["timeout"]
        if self._connecting > clocks["connect"]:
            await asyncio.sleep(clocks["connect"])
            raise httpx.ConnectTimeout("")
        await asyncio.sleep(self._connecting)
        self.body = Body(self._steps, clocks["read"])
        return httpx.Response(200, stream=self.body)


def ask(transport: Slow, **clocks: float) -> tuple[list[object], CallRefused | None, float]:
    """What came, what it ended with, and how long it took."""

    async def main() -> tuple[list[object], CallRefused | None, float]:
        given = {"url": "http://it", "key": {"env": "K"}, "tenant": "t", **clocks}
        settings = settings_of("dify-inner", **given)
        assert isinstance(settings, DifyInner)
        http = Http("it", settings, ["K"], transport)
        found: list[object] = []
        refused = None
        try:
            async with aclosing(DifyInnerBackend(http, settings, "K").answer(CALLER, "app", {}, pieces(b""))) as items:
                async for item in items:
                    found.append(item)  # noqa: PERF401 - what has come stays when the next one fails
        except CallRefused as error:
            refused = error
        await http.close()
        return found, refused, asyncio.get_running_loop().time()

    return run_in_virtual_time(main())


ONE = enveloped(1)


def test_in_time_is_in_time() -> None:
    transport = Slow([(200, ONE), (200, ONE)], connecting=4)
    assert ask(transport) == ([1, 1], None, 404)


@pytest.mark.parametrize(
    ("transport", "clocks", "came", "text", "seconds"),
    [
        (Slow([], connecting=9), {}, [], "was not connected with in 5 s (clock_connect)", 5),
        (Slow([(241, ONE)]), {}, [], "has sent nothing for 240 s (clock_idle)", 240),
        (Slow([(1, ONE), (11, ONE)]), {"clock_idle": 10}, [1], "has sent nothing for 10 s (clock_idle)", 11),
        (Slow([(8, ONE)] * 9), {"clock_total": 30}, [1, 1, 1], "more than 30 s for a call (clock_total)", 30),
        (Slow([], connecting=4), {"clock_total": 2}, [], "more than 2 s for a call (clock_total)", 2),
    ],
)
def test_too_slow_is_told(
    transport: Slow, clocks: dict[str, float], came: list[object], text: str, seconds: float
) -> None:
    found, refused, took = ask(transport, **clocks)
    assert refused is not None
    assert (found, refused.code, took) == (came, "timeout", seconds)
    assert text in refused.text
    assert transport.body is None or transport.body.is_closed


def test_a_file_that_does_not_come_is_not_waited_for() -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"begin"
        await asyncio.Event().wait()

    async def main() -> float:
        with pytest.raises(CallRefused, match="has not come for 30 s"):
            async with received(body(), 100):
                pass
        return asyncio.get_running_loop().time()

    assert run_in_virtual_time(main()) == 30
