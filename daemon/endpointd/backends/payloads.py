"""Encodes and decodes JSON for backends; large values in threads, so that they do not block the event loop."""

import asyncio
import json
from typing import Any

from endpointd.sessions.errors import CallRefused

LARGE = 64 * 1024
"""JSON of more bytes is decoded in a thread, because that takes noticeable time."""


class Unreadable(Exception):
    """The data is not JSON, or is nested too deeply."""


async def written(value: object) -> bytes:
    """`value` as JSON. Raises `CallRefused` if the plugin's arguments contain something that JSON cannot express."""
    # Always in a thread: the size is not known before.
    return await asyncio.to_thread(_written, value)


def _written(value: object) -> bytes:
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise CallRefused("invalid", f"the arguments of the call cannot be written as JSON: {error}") from None


async def read(data: bytes) -> Any:  # noqa: ANN401 - whatever a backend says
    """Decode JSON. Raises `Unreadable`."""
    return await asyncio.to_thread(_read, data) if len(data) > LARGE else _read(data)


def _read(data: bytes) -> Any:  # noqa: ANN401
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise Unreadable(str(error)) from None
