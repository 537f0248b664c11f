"""ASGI applications on our connections: there the clients keep the bodies, and not uvicorn."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

from endpointd.gateway.client import Client

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Application: TypeAlias = Callable[[Message, Receive, Send], Awaitable[None]]


def reading_clients(app: Application) -> Application:
    """`app`, which is given what its client sends."""

    async def call(scope: Message, _: object, send: Send) -> None:
        client: Client = scope["endpointd.client"]

        async def receive() -> Message:
            heard = await client.receive()
            if heard is None:
                return {"type": "http.disconnect"}
            return {"type": "http.request", "body": heard[0], "more_body": heard[1]}

        await app(scope, receive, send)

    return call
