"""Endpoints that are tasks and answer with the body of their request."""

import asyncio
from collections.abc import AsyncIterator

from werkzeug.wrappers import Request, Response


async def piece_by_piece(r: Request) -> Response:
    async def chunks() -> AsyncIterator[bytes]:
        async for chunk in r.stream:  # type: ignore[attr-defined]
            yield chunk

    return Response(chunks())  # type: ignore[arg-type]


async def in_a_thread(r: Request) -> Response:
    return Response(await asyncio.to_thread(r.get_data))
