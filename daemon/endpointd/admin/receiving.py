"""Reads complete request bodies, with limits for size and time."""

import asyncio

from starlette.requests import ClientDisconnect, Request


class BodyTooLarge(Exception):
    """The body exceeds the limit; the rest was not read."""


class RequestGone(Exception):
    """The client has disconnected before the request was complete, so that nobody will read a response."""


async def received(request: Request, most: int, seconds: float) -> bytes:
    """The complete body of a request: at most `most` bytes, within `seconds`. Raises `BodyTooLarge`, TimeoutError or
    `RequestGone`."""
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for piece in request.stream():
                body += piece
                if len(body) > most:
                    raise BodyTooLarge
    except ClientDisconnect:
        raise RequestGone from None
    return bytes(body)
