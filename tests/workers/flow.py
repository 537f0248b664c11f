"""Sends without end and receives when it is let: `way` says which.

`count` tells how many chunks were made so far. What it learns of its client's leaving it writes to the FIFO `told`:
"g" for GeneratorExit, "c" for call_on_close, "d" for a request body that broke off, before whose end it has told "r".
"""

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from dify_plugin import Endpoint
from werkzeug import Request, Response
from werkzeug.exceptions import ClientDisconnected

CHUNK = b"x" * 64 * 1024
TEN_GIGABYTES = 10 * 1024**3

made = 0


def tell(fifo: str, what: bytes) -> None:
    with open(fifo, "wb", buffering=0) as told:
        told.write(what)


def pass_gate(r: Request) -> None:
    with open(r.args["gate"], "rb", buffering=0) as gate:
        gate.read(1)


def ten_gigabytes() -> Iterator[bytes]:
    global made
    for _ in range(TEN_GIGABYTES // len(CHUNK)):
        made += 1
        yield CHUNK


def stream(_r: Request) -> Response:
    global made
    made = 0
    return Response(ten_gigabytes())


def count(_r: Request) -> Response:
    return Response(str(made))


def receive(r: Request) -> Response:
    """Reads nothing before the gate is open, then everything."""
    pass_gate(r)
    size = 0
    while piece := r.stream.read(65536):
        size += len(piece)
    return Response(str(size))


def watched(pause: float, chunk: bytes, fifo: str) -> Iterator[bytes]:
    try:
        while True:
            yield chunk
            threading.Event().wait(pause)
    except GeneratorExit:
        tell(fifo, b"g")
        raise


def watch(r: Request) -> Response:
    """Streams for ever, and tells when nobody wants it any more."""
    told = r.args["told"]
    response = Response(watched(float(r.args.get("pause", 0)), os.urandom(int(r.args["size"])), told))
    response.call_on_close(lambda: tell(told, b"c"))
    return response


def watch_body(r: Request) -> Response:
    """Reads its body, and tells when the rest will not come."""
    if "told" in r.args:
        tell(r.args["told"], b"r")
    try:
        return Response(str(len(r.get_data())))
    except ClientDisconnected:
        if "told" in r.args:
            tell(r.args["told"], b"d")
        raise


WAYS: dict[str, Callable[[Request], Response]] = {
    "stream": stream,
    "count": count,
    "receive": receive,
    "watch": watch,
    "watch_body": watch_body,
}


class Flow(Endpoint):
    def _invoke(self, r: Request, values: Mapping[str, Any], settings: Mapping[str, Any]) -> Response:  # noqa: ARG002
        return WAYS[r.args["way"]](r)
