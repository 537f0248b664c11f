"""JSON to and from backends; what is large is done in threads, so that nobody else waits for it."""

import asyncio
import json
from typing import Any

from endpointd.sessions.errors import CallRefused

LARGE = 64 * 1024
"""Bytes from which on it takes noticeable time to read them."""


class Unreadable(Exception):
    """It is not JSON, or is nested too deeply."""


async def written(value: object) -> bytes:
    """Raises `CallRefused`: the plugin's arguments hold what JSON has no place for."""
    # How large it will be is not known before.
    return await asyncio.to_thread(_written, value)


def _written(value: object) -> bytes:
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise CallRefused("invalid", f"the arguments of the call cannot be written as JSON: {error}") from None


async def read(data: bytes) -> Any:  # noqa: ANN401 - whatever a backend says
    """Raises `Unreadable`."""
    return await asyncio.to_thread(_read, data) if len(data) > LARGE else _read(data)


def _read(data: bytes) -> Any:  # noqa: ANN401
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise Unreadable(str(error)) from None
