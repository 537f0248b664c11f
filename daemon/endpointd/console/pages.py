"""The console's templates and static files. Each is read once; templates are rendered in threads."""

import asyncio
import hashlib
import time
from collections.abc import Mapping
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

from endpointd.admin.names import path_of
from endpointd.console import figures

PREFIX = "/console"

_TYPES = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}


class Pages:
    def __init__(self, version: str) -> None:
        self._files = _static_files()
        self._digest = _digest_of(self._files)
        self._environment = Environment(
            loader=PackageLoader("endpointd.console"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.globals.update(
            home=PREFIX,
            # The digest is in the path and not in the query, so that scripts that import each other are of one version.
            static=f"{PREFIX}/static/{self._digest}",
            version=version,
        )
        self._environment.filters.update(
            size=figures.size,
            latency=figures.latency,
            rate=figures.rate,
            duration=figures.duration,
            digest=figures.digest,
            moment=moment,
            sentence=sentence,
            plugin_path=plugin_path,
        )

    async def page(self, template: str, status: int = 200, **values: Any) -> Response:  # noqa: ANN401
        # In a thread, because a template is compiled when it is first used.
        return HTMLResponse(await asyncio.to_thread(self._render, template, values), status)

    def _render(self, template: str, values: Mapping[str, Any]) -> bytes:
        # Names of folders may not be UTF-8.
        return self._environment.get_template(template).render(**values).encode(errors="backslashreplace")

    def static(self, digest: str, name: str) -> Response | None:
        data = self._files.get(name)
        if data is None:
            return None
        # A page of another version of the daemon asks with another digest. It gets the present file, not to be cached.
        age = "public, max-age=31536000, immutable" if digest == self._digest else "no-cache"
        return Response(data, headers={"Cache-Control": age}, media_type=_TYPES[name.rpartition(".")[2]])


def plugin_path(plugin_id: str) -> str:
    return f"{PREFIX}/plugins/{path_of(plugin_id)}"


def moment(seconds: float) -> str:
    """A time in seconds since the epoch as a UTC timestamp; a script shows it in the browser's time zone."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def sentence(text: str) -> str:
    """The text with a capital first letter, and otherwise unchanged."""
    return text[:1].upper() + text[1:]


def _static_files() -> dict[str, bytes]:
    folder = resources.files("endpointd.console") / "static"
    return {one.name: one.read_bytes() for one in folder.iterdir() if one.name.rpartition(".")[2] in _TYPES}


def _digest_of(files: Mapping[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(name.encode() + b"\0" + files[name] + b"\0")
    return digest.hexdigest()[:16]
