"""How the storage takes in a value that a plugin sends in pieces of its own choice."""

import asyncio
from collections.abc import AsyncIterator, Iterable

import pytest

from endpointd.manifest.model import Permissions
from endpointd.sessions.caller import Caller
from endpointd.sessions.errors import CallRefused
from endpointd.sessions.storage import ARRIVAL, Storage
from endpointd.testing.values import MemoryValues
from support.virtual_time import run_in_virtual_time

CALLER = Caller("test/probe", Permissions(storage=True, storage_size=1024))
KEY = b"a"


class Setting:
    """The call that sets `KEY` to a value of `size` bytes, which come as `pieces`: after so many seconds each."""

    def __init__(self, size: int, pieces: Iterable[tuple[float, bytes]]) -> None:
        self._size = size
        self._pieces = pieces

    async def arguments(self) -> dict[str, object]:
        return {"opt": "set", "key": KEY.decode(), "size": self._size}

    async def rest(self) -> AsyncIterator[bytes]:
        for seconds, piece in self._pieces:
            await asyncio.sleep(seconds)
            yield piece


class Remembering(MemoryValues):
    """Counts the pieces that it is given."""

    def __init__(self) -> None:
        super().__init__({})
        self.given = 0

    def set(self, plugin: str, key: bytes, pieces: list[bytes], quota: int) -> None:
        self.given = len(pieces)
        super().set(plugin, key, pieces, quota)


def stored(call: Setting) -> Remembering:
    values = Remembering()

    async def main() -> None:
        storage = Storage(lambda: values, lambda: 1024)
        try:
            await storage.answer(CALLER, call)  # type: ignore[arg-type]
        finally:
            await storage.close()

    # Threads work meanwhile, and only for those who wait in real time; what arrives does so in no time.
    asyncio.run(main())
    return values


def refused(call: Setting) -> CallRefused:
    async def main() -> CallRefused:
        storage = Storage(Remembering, lambda: 1024)
        with pytest.raises(CallRefused) as caught:
            await storage.answer(CALLER, call)  # type: ignore[arg-type]
        return caught.value

    return run_in_virtual_time(main())


def test_a_value_in_tiny_pieces_is_not_kept_in_them() -> None:
    values = stored(Setting(1000, [(0, b"x"), (0, b"")] * 1000))
    found = values.get(CALLER.plugin, KEY, 1024)
    assert found is not None
    assert b"".join(found.pieces or []) == b"x" * 1000
    assert values.given == 1


def test_empty_pieces_are_no_sign_of_life() -> None:
    refusal = refused(Setting(2, [(1, b"x"), *[(ARRIVAL / 4, b"")] * 1000, (0, b"x")]))
    assert refusal.code == "timeout"
    assert "30 s" in str(refusal)


def test_a_value_that_comes_slowly_and_goes_on_is_waited_for() -> None:
    # It is refused for its size, at its end: long after one piece's time.
    refusal = refused(Setting(20, [(ARRIVAL - 1, b"x")] * 19))
    assert refusal.code == "invalid"


@pytest.mark.parametrize("pieces", [[(0.0, b"xyz")], [(0.0, b"x")], [(0.0, b"x")] * 4, []])
def test_a_value_has_the_size_that_was_announced(pieces: list[tuple[float, bytes]]) -> None:
    assert "has not the 2 bytes" in str(refused(Setting(2, pieces)))
