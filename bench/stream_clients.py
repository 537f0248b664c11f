"""Clients of event streams, in a separate process, so that they do not share the GIL with the measuring code.

``stream_clients.py PORT PATH NUMBER`` opens ``NUMBER`` streams, a few at a time. It prints a line when each has had its
first event, runs until it can read a line, and then prints JSON with the number of streams that had two events or more
(``served``) and of those that ended (``broken``).
"""

import asyncio
import json
import resource
import sys

AT_ONCE = 100
EVENT = b"data: "


class Listener(asyncio.Protocol):
    """One stream: counts its events, and notes whether it has ended."""

    def __init__(self, request: bytes) -> None:
        self.events = 0
        self.broken = False
        self.first = asyncio.get_running_loop().create_future()
        self._request = request

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the request."""
        assert isinstance(transport, asyncio.WriteTransport)
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Count the events. An event has only a few bytes, and so is never split between two calls."""
        self.events += data.count(EVENT)
        if self.events and not self.first.done():
            self.first.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Note that the stream is broken, because streams do not end by themselves."""
        self.broken = True
        if not self.first.done():
            self.first.set_result(None)


async def listen(port: int, path: str, number: int) -> list[Listener]:
    """Open the streams, wait for a line on stdin, and return them."""
    request = f"GET {path} HTTP/1.1\r\nHost: bench\r\nAccept: text/event-stream\r\n\r\n".encode()
    loop = asyncio.get_running_loop()
    gate = asyncio.Semaphore(AT_ONCE)

    async def open_one() -> Listener:
        async with gate:
            _, listener = await loop.create_connection(lambda: Listener(request), "127.0.0.1", port)
            await listener.first
            return listener

    listeners = await asyncio.gather(*(open_one() for _ in range(number)))
    sys.stdout.write("begun\n")
    sys.stdout.flush()
    await loop.run_in_executor(None, sys.stdin.readline)
    return listeners


def main() -> None:
    """Run the clients with the arguments of the command line."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    listeners = asyncio.run(listen(int(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
    broken = sum(each.broken for each in listeners)
    served = sum(each.events >= 2 and not each.broken for each in listeners)
    sys.stdout.write(json.dumps({"served": served, "broken": broken}) + "\n")


if __name__ == "__main__":
    main()
