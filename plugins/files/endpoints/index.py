"""`GET /`: the list of files."""

from collections.abc import Mapping
from html import escape
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import quote

from dify_plugin import Endpoint
from folder import PUBLIC
from werkzeug import Request, Response

PAGE = Template(Path(__file__).with_name("index.html").read_text(encoding="utf-8"))


class Index(Endpoint):
    """Answers with a page that links to every file of the folder and of the folders in it."""

    def _invoke(self, r: Request, values: Mapping[str, Any], settings: Mapping[str, Any]) -> Response:
        """List the files as they are now."""
        rows = "\n".join(row(path) for path in sorted(PUBLIC.rglob("*")) if path.is_file())
        return Response(PAGE.substitute(rows=rows), mimetype="text/html")


def row(path: Path) -> str:
    """One file as a row of the table."""
    name = path.relative_to(PUBLIC).as_posix()
    # "./" keeps a name with a colon from being read as an address of its own.
    return f'<tr><td><a href="./{quote(name)}">{escape(name)}</a><td>{path.stat().st_size:,}'
