"""Converts a WSGI environ to the parts of a request as the gateway has them. Pure.

An environ has lost the order of the headers, and which of them were repeated.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote_to_bytes

from endpointd.gateway.heads import OURS
from endpointd.gateway.problems import Problem
from endpointd_wire.messages import Headers

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_UNPREFIXED = ("CONTENT_TYPE", "CONTENT_LENGTH")
_RESERVED = "/:@!$&'()*+,;=~"
"""The characters that are not percent-encoded in a path, besides letters, digits and `-._`."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes: the path below the endpoint as it was sent, and decoded; the query as it was sent."""

    path: str
    decoded: str
    query: str


def read_target(environ: "WSGIEnvironment", script: str) -> Target:
    """The target below `script`. Raises `Problem` if it is not below it."""
    mounted, info = environ["SCRIPT_NAME"], environ["PATH_INFO"]
    if mounted != script:
        # The plugin has redirected here, or the test has given a full URL.
        if not f"{mounted}{info}".startswith(f"{script}/"):
            detail = f"{mounted}{info} is not below {script}, where the plugin is mounted"
            raise Problem(404, "path_unknown", detail)
        info = f"{mounted}{info}".removeprefix(script)
    if info and not info.startswith("/"):
        info = f"/{info}"
    decoded = info.encode("latin-1").decode("utf-8", "replace")
    return Target(_sent_path(environ, info.encode("latin-1")), decoded, environ["QUERY_STRING"])


def _sent_path(environ: "WSGIEnvironment", info: bytes) -> str:
    """The percent-encoded path: as the test has written it, if that is known; else encoded again."""
    written = environ.get("REQUEST_URI", "").partition("?")[0].encode("latin-1")
    if unquote_to_bytes(written) == info:
        return quote(written, safe=f"{_RESERVED}%")
    return quote(info, safe=_RESERVED)


def read_headers(environ: "WSGIEnvironment") -> Headers:
    """The headers as pairs, without those that only the daemon may set."""
    named = {key.removeprefix("HTTP_"): value for key, value in environ.items() if key.startswith("HTTP_")}
    named |= {key: environ[key] for key in _UNPREFIXED if environ.get(key)}
    pairs = [(_bytes(key.lower().replace("_", "-")), _bytes(value)) for key, value in named.items()]
    return tuple(pair for pair in pairs if pair[0] not in OURS)


def read_peers(environ: "WSGIEnvironment") -> tuple[tuple[str, int], tuple[str, int]]:
    """The client's address and the server's, each with its port."""
    client = (environ.get("REMOTE_ADDR", "127.0.0.1"), int(environ.get("REMOTE_PORT", 0)))
    return client, (environ["SERVER_NAME"], int(environ["SERVER_PORT"]))


def _bytes(text: str) -> bytes:
    return text.encode("latin-1")
