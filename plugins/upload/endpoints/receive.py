"""`POST /upload` and `PUT /upload`: a body of any size, measured while it arrives."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import IO, Any

from dify_plugin import Endpoint
from werkzeug import Request, Response

PIECE = 64 * 1024
REPORT_EVERY = 4 * 1024 * 1024


class Receive(Endpoint):
    """Reads the body piece by piece, and answers with a line of JSON for every 4 MiB and one at the end."""

    def _invoke(self, r: Request, values: Mapping[str, Any], settings: Mapping[str, Any]) -> Response:
        """Answer at once; the body is read while the answer is sent, and never held in memory as a whole."""
        return Response(reports(r.stream), mimetype="application/x-ndjson")


def reports(body: IO[bytes]) -> Iterator[str]:
    """Lines with the bytes so far and their SHA-256; the last one, and only it, says that this is all.

    A client that goes away in the middle makes `read` raise `ClientDisconnected`, so what was cut is never taken for
    the whole.
    """
    digest = hashlib.sha256()
    received, next_report = 0, REPORT_EVERY
    while piece := body.read(PIECE):
        digest.update(piece)
        received += len(piece)
        if received >= next_report:
            next_report = received + REPORT_EVERY
            yield report(received, digest.hexdigest(), complete=False)
    yield report(received, digest.hexdigest(), complete=True)


def report(received: int, sha256: str, *, complete: bool) -> str:
    """One line."""
    return json.dumps({"received": received, "sha256": sha256, "complete": complete}) + "\n"
