"""All six methods on `/` and `/<path:rest>`: the request itself, as JSON."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from dify_plugin import Endpoint
from werkzeug import Request, Response
from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.exceptions import RequestEntityTooLarge

# Every part of the request is shown, so the whole body has to be in memory; it must be smaller than this.
MAX_BODY = 16 * 1024 * 1024
PREVIEW_CHARACTERS = 1000


class Echo(Endpoint):
    """Shows what a plugin can know about a request, under the names that werkzeug has for it."""

    def _invoke(self, r: Request, values: Mapping[str, Any], settings: Mapping[str, Any]) -> Response:
        """Describe the request. Raises `RequestEntityTooLarge`."""
        body = read_body(r)
        answer = {
            "method": r.method,
            "url": urls(r),
            "query": {"raw": r.query_string.decode("latin-1"), "parsed": pairs(r.args)},
            "client": {"remote_addr": r.remote_addr, "protocol": r.environ.get("SERVER_PROTOCOL")},
            "headers": list(r.headers.items()),
            "cookies": pairs(r.cookies),
            "body": describe_body(r, body),
            "form": pairs(r.form),
            "files": [describe_file(field, file) for field, file in r.files.items(multi=True)],
            "endpoint": {
                "hook_id": r.headers.get("Dify-Hook-Id"),
                "hook_url": r.headers.get("Dify-Hook-Url"),
                "values": values,
                "settings": settings,
            },
        }
        indent = 2 if settings.get("pretty", True) else None
        return Response(json.dumps(answer, ensure_ascii=False, indent=indent) + "\n", mimetype="application/json")


def read_body(r: Request) -> bytes:
    """The whole body; called before the form is parsed, which would leave nothing to read.

    Raises `RequestEntityTooLarge`.
    """
    r.max_content_length = MAX_BODY
    body = r.get_data()
    # A body that announces its length was refused by werkzeug; any other was cut off at the limit without a word.
    if len(body) >= MAX_BODY:
        raise RequestEntityTooLarge
    return body


def urls(r: Request) -> dict[str, Any]:
    """The address of the request, whole and in parts; `raw` is as it came, with nothing decoded."""
    return {
        "raw": r.environ.get("REQUEST_URI"),
        "full": r.url,
        "scheme": r.scheme,
        "host": r.host,
        "script_root": r.root_path,
        "path": r.path,
    }


def pairs(fields: MultiDict[str, str]) -> list[tuple[str, str]]:
    """The fields, each repeat a pair of its own; werkzeug puts the repeats of a name together."""
    return list(fields.items(multi=True))


def describe_body(r: Request, body: bytes) -> dict[str, Any]:
    """The body's type and length as announced, what came of it, and how it begins if it is text."""
    return {
        "content_type": r.content_type,
        "content_length": r.content_length,
        "size": len(body),
        "sha256": hashlib.sha256(body).hexdigest(),
        "preview": body.decode("utf-8", errors="replace")[:PREVIEW_CHARACTERS],
    }


def describe_file(field: str, file: FileStorage) -> dict[str, Any]:
    """What there is to know of an uploaded file, but its content."""
    content = file.read()
    return {
        "field": field,
        "filename": file.filename,
        "content_type": file.content_type,
        "size": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
