"""The bodies of requests, read whole: held to a size and a clock."""

import asyncio

from starlette.requests import ClientDisconnect, Request


class BodyTooLarge(Exception):
    """It is not read any further."""


class RequestGone(Exception):
    """Whoever has sent the request has gone before it was whole. Nobody reads an answer."""


async def received(request: Request, most: int, seconds: float) -> bytes:
    """At most so many bytes, in at most so many seconds. Raises `BodyTooLarge`, `TimeoutError`, `RequestGone`."""
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
