"""The host's own errors as `application/problem+json` (RFC 9457). Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

CONTENT_TYPE = b"application/problem+json"


@dataclass(eq=False)
class Problem(Exception):
    """An error that the host answers with instead of the plugin.

    `code` is stable and meant for programs, `detail` for people. `plugin` is the id of the plugin concerned. `headers`
    are added to the answer, and `extra` to the JSON document.
    """

    status: int
    code: str
    detail: str
    plugin: str | None = None
    headers: tuple[tuple[bytes, bytes], ...] = ()
    extra: Mapping[str, object] = field(default_factory=dict)

    def document(self, request_id: str) -> bytes:
        return (
            json.dumps(
                {
                    "type": f"urn:endpointd:problem:{self.code}",
                    "title": HTTPStatus(self.status).phrase,
                    "status": self.status,
                    "detail": self.detail,
                    "code": self.code,
                    **({"plugin": self.plugin} if self.plugin is not None else {}),
                    **({"request_id": request_id} if request_id else {}),
                    **self.extra,
                }
            ).encode()
            + b"\n"
        )

    def response(self, request_id: str) -> tuple[list[tuple[bytes, bytes]], bytes]:
        """The headers and the body of the answer."""
        body = self.document(request_id)
        headers = [
            (b"content-type", CONTENT_TYPE),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"),
            *self.headers,
        ]
        return headers, body


def retry_after(seconds: int | None) -> tuple[tuple[bytes, bytes], ...]:
    return () if seconds is None else ((b"retry-after", str(seconds).encode()),)


def redirect(location: str) -> list[tuple[bytes, bytes]]:
    """The headers of a 308 to `location`, an absolute path."""
    return [(b"location", location.encode("latin-1")), (b"content-length", b"0")]
