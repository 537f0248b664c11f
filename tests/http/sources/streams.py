"""Bodies that wait for the test, or tell it of their end; `/stream/<name>?gate=…&told=…`."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from dify_plugin import Endpoint
from werkzeug import Request, Response


class Streams(Endpoint):
    """`gate` is a FIFO to wait at; `entered` and `told` are written to at the beginning, and when all is closed."""

    def _invoke(self, r: Request, values: Mapping[str, Any], settings: Mapping[str, Any]) -> Response:
        if "entered" in r.args:
            tell(r.args["entered"], b"e")
        response = STREAMS[values["name"]](r)
        told = r.args.get("told")
        if told is not None:
            response.call_on_close(lambda: tell(told, b"c"))
        return response


def pass_gate(gate: str) -> None:
    with Path(gate).open("rb", buffering=0) as fifo:
        fifo.read(1)


def tell(told: str, word: bytes) -> None:
    with Path(told).open("wb", buffering=0) as fifo:
        fifo.write(word)


def gated(r: Request) -> Response:
    """Three pieces, each but the first behind the gate."""

    def pieces() -> Iterator[str]:
        yield "first"
        for word in ("second", "third"):
            pass_gate(r.args["gate"])
            yield word

    return Response(pieces(), headers=_length(r))


def waiting(r: Request) -> Response:
    """Nothing before the gate is passed."""
    pass_gate(r.args["gate"])
    return Response("passed")


def endless(r: Request) -> Response:
    """Pieces until the client goes; the generator's end is told, too."""

    def pieces() -> Iterator[bytes]:
        try:
            while True:
                yield b"." * 4096
        finally:
            if "ended" in r.args:
                tell(r.args["ended"], b"g")

    return Response(pieces(), headers=_length(r))


def large(r: Request) -> Response:
    """`size` bytes in pieces of 64 KiB."""
    size = int(r.args["size"])
    return Response(
        (b"." * min(65536, size - at) for at in range(0, size, 65536)), headers={"Content-Length": str(size)}
    )


def whole(r: Request) -> Response:
    """`size` bytes in one piece."""
    return Response(b"." * int(r.args["size"]))


def numbered(r: Request) -> Response:
    """`count` pieces of `size` bytes, each of which says which one it is, all over."""
    size = int(r.args["size"])
    return Response(
        ((number.to_bytes(8, "big") * (size // 8 + 1))[:size] for number in range(int(r.args["count"]))),
        headers=_length(r),
    )


def failing(r: Request) -> Response:
    """A piece, the gate, and then an exception."""

    def pieces() -> Iterator[str]:
        yield "first"
        pass_gate(r.args["gate"])
        raise RuntimeError("the secret of the stream")

    return Response(pieces(), headers=_length(r))


def uploaded(r: Request) -> Response:
    """Tells of every piece of the request's body in the answer as it comes."""

    def pieces() -> Iterator[bytes]:
        while piece := r.stream.read1(65536):  # type: ignore[attr-defined]
            yield b"<" + piece + b">"

    return Response(pieces())


def received(r: Request) -> Response:
    """Begins to answer, and tells at the end of the request's body how many bytes it had."""

    def pieces() -> Iterator[str]:
        yield "first"
        yield str(len(r.get_data()))

    return Response(pieces())


def _length(r: Request) -> dict[str, str]:
    return {"Content-Length": r.args["length"]} if "length" in r.args else {}


STREAMS: dict[str, Callable[[Request], Response]] = {
    "gated": gated,
    "waiting": waiting,
    "endless": endless,
    "large": large,
    "whole": whole,
    "numbered": numbered,
    "failing": failing,
    "uploaded": uploaded,
    "received": received,
}
