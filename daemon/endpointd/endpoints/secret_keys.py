"""Rotates the key with which secrets are sealed, while endpoints are served."""

from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import structlog

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Rotated:
    """The result: how many endpoints have secrets, now sealed with the new key, and the file that contains the key."""

    endpoints: int
    key_file: str

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class KeyControl(Protocol):
    async def rotate(self) -> Rotated:
        """Seal all secrets with a new key, then drop the old one. If this raises `OperatorError`, all secrets can still
        be read."""


class SecretKeys:
    """Implements `KeyControl`. `rotate_keys` does the work, blocking, and returns the number of endpoints; `alone` runs
    it in a thread while no endpoint is changed."""

    def __init__(
        self, alone: Callable[[Callable[[], int]], Awaitable[int]], rotate_keys: Callable[[], int], key_file: str
    ) -> None:
        self._alone = alone
        self._rotate_keys = rotate_keys
        self._key_file = key_file

    async def rotate(self) -> Rotated:
        done = Rotated(await self._alone(self._rotate_keys), self._key_file)
        log.info("secrets.rotated", endpoints=done.endpoints, key_file=done.key_file)
        return done
