"""Sends answers of the host's own: refusals, redirects and pages."""

from collections.abc import Iterable

import structlog

from endpointd.gateway.client import Client
from endpointd.gateway.heads import Headers, own_head
from endpointd.gateway.problems import Problem

log = structlog.get_logger()


async def refuse(client: Client, problem: Problem, request_id: str, more: Iterable[tuple[bytes, bytes]] = ()) -> None:
    """Answer with a problem, and log it if it is a server error. `more` are further headers."""
    if problem.status >= 500:
        log.warning(
            "request.refused",
            code=problem.code,
            detail=problem.detail,
            plugin=problem.plugin,
            request=request_id,
        )
    headers, body = problem.response(request_id)
    headers.extend(more)
    await answer(client, problem.status, headers, body)


async def show(client: Client, status: int, text: str) -> None:
    """Answer with a page of plain text."""
    body = text.encode()
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
    ]
    await answer(client, status, headers, body)


async def answer(client: Client, status: int, headers: Headers, body: bytes) -> None:
    head = own_head(headers, client.method)
    await client.room()
    client.begin(status, head)
    client.put(body if head.has_body else b"", last=True)
