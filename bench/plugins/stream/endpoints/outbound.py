"""Sends as many bytes as the path asks for, 64 KiB at a time."""

from collections.abc import Iterator, Mapping
from typing import Any

from dify_plugin import Endpoint
from werkzeug import Request, Response

# One object for every chunk: what is measured is the way out, not the making of bytes.
CHUNK = bytes(range(256)) * 256


class Outbound(Endpoint):
    """Answers ``GET /out/<int:size>`` with ``size`` bytes: the values 0 to 255, over and over."""

    def _invoke(self, r: Request, values: Mapping[str, Any], settings: Mapping[str, Any]) -> Response:
        return Response(chunks(values["size"]), content_type="application/octet-stream")


def chunks(size: int) -> Iterator[bytes]:
    """Yield ``size`` bytes, in whole chunks and a rest."""
    whole, rest = divmod(size, len(CHUNK))
    for _ in range(whole):
        yield CHUNK
    if rest:
        yield CHUNK[:rest]
