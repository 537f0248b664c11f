"""Runs ASGI applications on the connections of `ClientProtocol`, where the `Client` rather than uvicorn keeps the
request's body and writes the answer."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

import structlog

from endpointd.gateway.client import Client
from endpointd.gateway.heads import check_response_head

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Application: TypeAlias = Callable[[Message, Receive, Send], Awaitable[None]]

log = structlog.get_logger()


def on_clients(app: Application, client_idle: Callable[[], float]) -> Application:
    """Adapt `app` so that it reads from, and writes to, the `Client` of its request. `client_idle` returns the number
    of seconds after which a client that receives nothing of its answer is given up; 0: never."""

    async def call(scope: Message, _: object, __: object) -> None:
        client: Client = scope["endpointd.client"]
        is_old = scope["http_version"] == "1.0"

        async def receive() -> Message:
            heard = await client.receive()
            if heard is None:
                return {"type": "http.disconnect"}
            return {"type": "http.request", "body": heard[0], "more_body": heard[1]}

        async def send(message: Message) -> None:
            await _room(client, client_idle())
            if message["type"] == "http.response.start":
                headers = tuple(message.get("headers", ()))
                if any(map(_is_close, headers)):
                    client.close_behind()
                head = check_response_head(message["status"], headers, client.method)
                client.begin(message["status"], head, by_closing=is_old)
            else:
                body = b"" if client.method == "HEAD" else message.get("body", b"")
                client.put(body, last=not message.get("more_body", False))
            client.flush()

        await app(scope, receive, send)

    return call


def _is_close(header: tuple[bytes, bytes]) -> bool:
    """Whether with this header the application makes the answer the connection's last one."""
    return header[0].lower() == b"connection" and header[1].lower() == b"close"


async def _room(client: Client, idle: float) -> None:
    """Wait until the client has received enough of what was sent. If it receives nothing for `idle` seconds, reset the
    connection."""
    while not client.has_room:
        before = client.unsent()
        try:
            async with asyncio.timeout(idle or None):
                await client.room()
        except TimeoutError:
            if client.unsent() >= before:
                log.warning("response.aborted", because="clock_client_idle")
                client.abort()
                return
