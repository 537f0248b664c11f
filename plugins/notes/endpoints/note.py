"""One note: read, written, removed."""

from collections.abc import Mapping
from typing import Any

from dify_plugin import Endpoint
from shelf import Shelf
from werkzeug import Request, Response
from werkzeug.exceptions import BadRequest, NotFound

LONGEST_NAME = 50


class Note(Endpoint):
    def _invoke(self, r: Request, values: Mapping[str, Any], settings: Mapping[str, Any]) -> Response:
        shelf, name = Shelf(self.session), values["name"]
        if r.method == "PUT":
            if len(name) > LONGEST_NAME:
                raise BadRequest(f"a name has at most {LONGEST_NAME} characters")
            return self._write(shelf, name, r.get_data())
        if r.method == "DELETE":
            if not shelf.remove(name):
                raise NotFound(f"there is no note {name!r}")
            return Response(status=204)
        text = shelf.read(name)
        if text is None:
            raise NotFound(f"there is no note {name!r}")
        return Response(text, mimetype="text/plain")

    def _write(self, shelf: Shelf, name: str, text: bytes) -> Response:
        try:
            shelf.write(name, text)
        # The storage's errors have no common class in all versions of the SDK.
        except Exception as error:  # noqa: BLE001
            return Response(f"not kept: {error}\n", 507, mimetype="text/plain")
        return Response(status=204)
