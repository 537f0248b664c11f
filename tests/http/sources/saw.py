"""Answers with all that it saw of the request, as JSON; bytes are shown as Latin-1."""

import json
from collections.abc import Mapping
from typing import Any

from dify_plugin import Endpoint
from werkzeug import Request, Response
from werkzeug.datastructures import FileStorage


class Saw(Endpoint):
    """With `?as=form` in the query the body is parsed as a form instead of being read."""

    def _invoke(self, r: Request, values: Mapping[str, Any], settings: Mapping[str, Any]) -> Response:
        is_form = r.args.get("as") == "form"
        seen = {
            "method": r.method,
            "url": r.url,
            "root_url": r.root_url,
            "path": r.path,
            "args": list(r.args.items(multi=True)),
            "headers": list(r.headers.items()),
            "cookies": list(r.cookies.items(multi=True)),
            "remote_addr": r.remote_addr,
            "environ": {name: value for name, value in r.environ.items() if isinstance(value, str)},
            "values": values,
            "settings": settings,
            "form": list(r.form.items(multi=True)) if is_form else None,
            "files": [_file(name, file) for name, file in r.files.items(multi=True)] if is_form else None,
            "body": None if is_form else r.stream.read().decode("latin-1"),
        }
        return Response(json.dumps(seen), mimetype="application/json")


def _file(name: str, file: FileStorage) -> list[str | None]:
    return [name, file.filename, file.content_type, file.read().decode("latin-1")]
