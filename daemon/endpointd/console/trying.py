"""*Try it*: sends a real request to the daemon's own listener, and yields its answer piece by piece.

The browser cannot send it, because the console's pages may only connect to the console. Redirects are shown, not
followed.
"""

import asyncio
import codecs
import time
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import httpx

from endpointd.console.targets import Attempt
from endpointd.sockets.addresses import UNIX

MOST_SHOWN = 1024 * 1024
"""The most bytes of an answer that are shown."""

LONGEST = 600.0
"""Seconds that the whole exchange may take. The gateway has timeouts of its own."""

_CONNECT = 10.0
_LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}
_NAMELESS = "localhost"
"""The host to name if the daemon only has the address of a unix socket."""
_TEXTUAL = ("text/", "application/json", "application/xml", "application/javascript", "application/x-ndjson")
_SUFFIXES = ("+json", "+xml")

Event = dict[str, Any]


async def attempted(gateway: str, base: str, attempt: Attempt, version: str) -> AsyncIterator[Event]:
    """Send the request, and yield events as they happen: a "head", several "data" with text or a number of bytes, and
    at last "end" or "fault". `gateway` is the address at which the daemon listens, `base` the base URL for clients."""
    began = time.monotonic()
    timeout = httpx.Timeout(_CONNECT, read=LONGEST)
    try:
        async with asyncio.timeout(LONGEST):
            async with httpx.AsyncClient(transport=_transport(gateway), trust_env=False, timeout=timeout) as client:
                answer = await client.send(_request(gateway, base, attempt, version), stream=True)
                try:
                    yield _head(answer, began)
                    async for event in _body(answer, began):
                        yield event
                finally:
                    await answer.aclose()
    except TimeoutError:
        yield {"kind": "fault", "text": f"stopped: the answer took more than {LONGEST:g} s"}
    except httpx.InvalidURL as error:
        yield {"kind": "fault", "text": f"nothing was sent: {error}"}
    except httpx.HTTPError as error:
        yield {"kind": "fault", "text": f"the connection broke before the answer was whole: {error}"}


def _transport(gateway: str) -> httpx.AsyncHTTPTransport:
    """A connection to the daemon itself: without proxies from the environment, and without verification, because
    loading the system's certificates takes long."""
    path = gateway.removeprefix(UNIX) if gateway.startswith(UNIX) else None
    return httpx.AsyncHTTPTransport(verify=False, trust_env=False, uds=path)


def _request(gateway: str, base: str, attempt: Attempt, version: str) -> httpx.Request:
    place = urlsplit(gateway)
    scheme, host = ("http", _NAMELESS) if gateway.startswith(UNIX) else (place.scheme, place.hostname or "")
    url = httpx.URL(scheme=scheme, host=_LOOPBACK.get(host, host), port=place.port, raw_path=attempt.path)
    headers = [("Host", urlsplit(base).netloc or _NAMELESS), *attempt.headers]
    if not any(name.lower() == "user-agent" for name, _ in headers):
        headers.append(("User-Agent", f"endpointd-console/{version}"))
    written = [(name.encode("ascii"), value.encode("latin-1")) for name, value in headers]
    return httpx.Request(attempt.method, url, headers=written, content=attempt.body or None)


def _head(answer: httpx.Response, began: float) -> Event:
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in answer.headers.raw]
    return {
        "kind": "head",
        "status": answer.status_code,
        "reason": answer.reason_phrase,
        "headers": headers,
        "seconds": round(time.monotonic() - began, 4),
        "textual": _is_textual(answer.headers.get("content-type", "")),
    }


async def _body(answer: httpx.Response, began: float) -> AsyncIterator[Event]:
    textual = _is_textual(answer.headers.get("content-type", ""))
    decoder = codecs.getincrementaldecoder(_charset(answer))("replace")
    size = 0
    async for piece in answer.aiter_raw():
        size += len(piece)
        if size > MOST_SHOWN:
            yield {"kind": "fault", "text": f"stopped: only the first {MOST_SHOWN // 1024} KiB of an answer are shown"}
            return
        yield {"kind": "data", "bytes": len(piece), "text": decoder.decode(piece) if textual else ""}
    yield {"kind": "end", "bytes": size, "seconds": round(time.monotonic() - began, 4)}


def _is_textual(kind: str) -> bool:
    name = kind.partition(";")[0].strip().lower()
    return not name or name.startswith(_TEXTUAL) or name.endswith(_SUFFIXES)


def _charset(answer: httpx.Response) -> str:
    try:
        return codecs.lookup(answer.charset_encoding or "utf-8").name
    except LookupError:
        return "utf-8"
