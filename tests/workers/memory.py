"""Takes memory until it gets no more: what `way` says is done with the rest of the request."""

from collections.abc import Callable, Mapping
from typing import Any

from dify_plugin import Endpoint
from werkzeug import Request, Response

PIECE = 16 * 1024 * 1024


def take_all() -> None:
    pieces = []
    while True:
        pieces.append(bytearray(PIECE))


def take_all_and_answer() -> None:
    try:
        take_all()
    except MemoryError:
        return


WAYS: dict[str, Callable[[], None]] = {"raise": take_all, "catch": take_all_and_answer}


class Memory(Endpoint):
    def _invoke(self, r: Request, values: Mapping[str, Any], settings: Mapping[str, Any]) -> Response:  # noqa: ARG002
        WAYS[r.args["way"]]()
        return Response("enough")
