"""Waits at the test's gate and hears of nothing meanwhile: `arrived` is told first, `gate` lets it go on, `done` is
told behind it.

With `chunk` it answers before it waits, with a first chunk of so many bytes. With `body` it reads so many bytes of the
request's body before.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from dify_plugin import Endpoint
from werkzeug import Request, Response


def wait(r: Request) -> None:
    if "arrived" in r.args:
        with open(r.args["arrived"], "wb", buffering=0) as arrived:
            arrived.write(b"!")
    with open(r.args["gate"], "rb", buffering=0) as gate:
        gate.read(1)
    if "done" in r.args:
        with open(r.args["done"], "wb", buffering=0) as done:
            done.write(b"!")


def first_chunk(r: Request) -> Iterator[bytes]:
    yield b"x" * int(r.args["chunk"])
    wait(r)
    yield b"last"


class Waits(Endpoint):
    def _invoke(self, r: Request, values: Mapping[str, Any], settings: Mapping[str, Any]) -> Response:  # noqa: ARG002
        if "chunk" in r.args:
            return Response(first_chunk(r))
        r.stream.read(int(r.args.get("body", 0)))
        wait(r)
        return Response("waited")
