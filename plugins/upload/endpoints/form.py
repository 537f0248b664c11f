"""`POST /form`: what a browser's form sends, taken apart by werkzeug."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from dify_plugin import Endpoint
from werkzeug import Request, Response
from werkzeug.datastructures import FileStorage

PIECE = 64 * 1024


class Form(Endpoint):
    """Answers with the fields and the files of a `multipart/form-data` body as JSON."""

    def _invoke(self, r: Request, values: Mapping[str, Any], settings: Mapping[str, Any]) -> Response:
        """Describe what came. werkzeug keeps small files in memory and large ones in temporary files."""
        answer = {
            "fields": [{"field": field, "value": value} for field, value in r.form.items(multi=True)],
            "files": [describe(field, file) for field, file in r.files.items(multi=True)],
        }
        return Response(json.dumps(answer, ensure_ascii=False, indent=2) + "\n", mimetype="application/json")


def describe(field: str, file: FileStorage) -> dict[str, Any]:
    """What there is to know of an uploaded file, but its content."""
    digest, size = hashlib.sha256(), 0
    while piece := file.read(PIECE):
        digest.update(piece)
        size += len(piece)
    return {
        "field": field,
        "filename": file.filename,
        "content_type": file.content_type,
        "size": size,
        "sha256": digest.hexdigest(),
    }
