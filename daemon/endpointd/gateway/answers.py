"""What the host answers by itself: refusals and redirects."""

import structlog

from endpointd.gateway.date import http_date
from endpointd.gateway.heads import Headers
from endpointd.gateway.problems import Problem
from endpointd.gateway.relay import Send

log = structlog.get_logger()


async def refuse(send: Send, problem: Problem, request_id: str) -> None:
    if problem.status >= 500:
        log.warning(
            "request.refused",
            code=problem.code,
            detail=problem.detail,
            plugin=problem.plugin,
            request=request_id,
        )
    headers, body = problem.response(request_id)
    await answer(send, problem.status, headers, body)


async def show(send: Send, status: int, text: str) -> None:
    """A page of the host's own."""
    body = text.encode()
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
    ]
    await answer(send, status, headers, body)


async def answer(send: Send, status: int, headers: Headers, body: bytes) -> None:
    headers.append((b"date", http_date()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
