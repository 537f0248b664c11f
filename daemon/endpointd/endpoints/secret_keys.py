"""Changing the key that secrets are sealed with, while endpoints are served."""

from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import structlog

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Rotated:
    """How many endpoints have secrets, which are sealed with the new key now, and the file that it is in."""

    endpoints: int
    key_file: str

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class KeyControl(Protocol):
    async def rotate(self) -> Rotated:
        """Returns when everything is sealed with a new key and the old one is dropped. Raises `OperatorError`; what is
        sealed can be read all the same."""


class SecretKeys:
    """Implements `KeyControl`. `alone` does something blocking in a thread while no endpoint is changed; `rotate_keys`
    is that."""

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
