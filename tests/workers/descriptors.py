"""Closes file descriptors that are not its own: `way` says which."""

import os
from collections.abc import Callable, Mapping
from typing import Any

from dify_plugin import Endpoint
from werkzeug import Request, Response

HIGHEST = 4096


def replace_all() -> None:
    """As a program does that turns itself into a daemon."""
    os.closerange(0, HIGHEST)
    for _ in range(8):
        os.open(os.devnull, os.O_RDWR)


WAYS: dict[str, Callable[[], None]] = {
    "stdin": lambda: os.close(0),
    "stdout": lambda: os.close(1),
    "output": lambda: os.closerange(1, 3),
    "all": lambda: os.closerange(0, HIGHEST),
    "all_but_standard": lambda: os.closerange(3, HIGHEST),
    "replaced": replace_all,
}


class Descriptors(Endpoint):
    def _invoke(self, r: Request, values: Mapping[str, Any], settings: Mapping[str, Any]) -> Response:  # noqa: ARG002
        if "gate" in r.args:
            with open(r.args["gate"], "rb", buffering=0) as gate:
                gate.read(1)
        WAYS[r.args["way"]]()
        return Response("closed")
