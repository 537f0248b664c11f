"""Sends as many bytes as the path asks for, in chunks of the size that it asks for."""

from collections.abc import Iterator, Mapping
from typing import Any

from dify_plugin import Endpoint
from werkzeug import Request, Response

PATTERN = bytes(range(256))


class Outbound(Endpoint):
    """Answers ``GET /out/<int:size>/<int:chunk>`` with ``size`` bytes: the values 0 to 255, over and over.

    The chunk's size is a multiple of 256.
    """

    def _invoke(self, r: Request, values: Mapping[str, Any], settings: Mapping[str, Any]) -> Response:
        return Response(chunks(values["size"], values["chunk"]), content_type="application/octet-stream")


def chunks(size: int, length: int) -> Iterator[bytes]:
    """Yield ``size`` bytes, in whole chunks and a rest."""
    # One object for every chunk: what is measured is the way out, not the making of bytes.
    chunk = PATTERN * (length // len(PATTERN))
    whole, rest = divmod(size, len(chunk))
    for _ in range(whole):
        yield chunk
    if rest:
        yield chunk[:rest]
