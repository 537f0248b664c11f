"""ASGI applications on our connections: there the clients keep the bodies, and not uvicorn, and answers are written as
the gateway's own are."""

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
    """`app`, which is given what its client sends, and whose answers the client gets. `client_idle` gives the seconds
    after which a client is given up that takes nothing of its answer; 0 is never."""

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
    """Whether by it the application makes this answer the connection's last one."""
    return header[0].lower() == b"connection" and header[1].lower() == b"close"


async def _room(client: Client, idle: float) -> None:
    """Wait until the client has taken enough of what it was sent, or takes no more of it."""
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
