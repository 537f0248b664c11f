"""The CORS headers of endpoints that have a rule for pages of other origins (Fetch standard, "CORS protocol"). Pure.

All names of headers, in requests and in answers, are in lower case.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from endpointd.callers.origins import Origins
from endpointd.callers.reading import METHODS
from endpointd.callers.rules import CorsRule

MAX_AGE = 600
"""Seconds for which a browser may cache the answer to a preflight request, if the rule does not set it."""

_LONGEST = 4096
_NAMES = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+(?:[ \t]*,[ \t]*[!#$%&'*+\-.^_`|~0-9A-Za-z]+)*")

Headers = Sequence[tuple[bytes, bytes]]
_VARY = (b"vary", b"Origin")
_OURS = b"access-control-"
_EXPOSE = b"access-control-expose-headers"


class CorsHeaders(NamedTuple):
    """The CORS headers of an answer. `varies`: they depend on the request's origin."""

    headers: tuple[tuple[bytes, bytes], ...]
    varies: bool

    def plain(self) -> tuple[tuple[bytes, bytes], ...]:
        """The headers to be added to an answer that the host itself creates, which has no such headers yet."""
        return (*self.headers, _VARY) if self.varies else self.headers

    def over(self, headers: Headers) -> list[tuple[bytes, bytes]]:
        """The headers of a plugin's answer, with its CORS headers replaced by these, because the rule is the operator's
        decision. Only `Access-Control-Expose-Headers` of the plugin is kept if the rule does not set it."""
        is_said = any(name == _EXPOSE for name, _ in self.headers)
        kept = [one for one in headers if not one[0].startswith(_OURS) or (one[0] == _EXPOSE and not is_said)]
        kept += self.headers
        if self.varies and not _does_vary(headers):
            kept.append(_VARY)
        return kept


def _does_vary(headers: Headers) -> bool:
    named = [part.strip().lower() for name, value in headers if name == b"vary" for part in value.split(b",")]
    return b"origin" in named or b"*" in named


class Cors:
    """A rule, prepared for use with requests."""

    def __init__(self, rule: CorsRule) -> None:
        self._origins = Origins(rule.origins)
        self._credentials = ((b"access-control-allow-credentials", b"true"),) if rule.credentials else ()
        self._expose = ((_EXPOSE, _joined(rule.expose)),) if rule.expose else ()
        age = MAX_AGE if rule.max_age is None else rule.max_age
        self._preflight = (
            (b"access-control-allow-methods", _joined(rule.methods or METHODS)),
            (b"access-control-max-age", str(age).encode()),
        )
        self._headers = None if rule.headers is None else _joined(rule.headers)

    def headers_for(self, request: Headers) -> CorsHeaders:
        """The CORS headers of the answer to a request with these headers."""
        if self._origins.is_any:
            return CorsHeaders(((b"access-control-allow-origin", b"*"), *self._expose), varies=False)
        origin = _only(request, b"origin")
        if origin is None or not self._origins.has(origin.decode("latin-1")):
            return CorsHeaders((), varies=True)
        return CorsHeaders(((b"access-control-allow-origin", origin), *self._credentials, *self._expose), varies=True)

    def preflight(self, request: Headers) -> list[tuple[bytes, bytes]] | None:
        """The headers of the answer to a preflight request; None if the origin may not call. The requested method and
        headers are not checked here; the browser compares them with the answer."""
        answered = self.headers_for(request)
        if not answered.headers:
            return None
        headers = [one for one in answered.plain() if one[0] != _EXPOSE]
        headers += self._preflight
        allowed = self._asked(request) if self._headers is None else self._headers
        if allowed:
            headers.append((b"access-control-allow-headers", allowed))
        return headers

    @staticmethod
    def _asked(request: Headers) -> bytes:
        """The names of all headers that the page wants to send. "*" would not do, because it does not include
        Authorization."""
        asked = b", ".join(value for name, value in request if name == b"access-control-request-headers" and value)
        return asked if len(asked) <= _LONGEST and _NAMES.fullmatch(asked) else b""


def is_preflight(method: str, headers: Headers) -> bool:
    """Whether this is a preflight request, by which a browser asks whether a page may send a request."""
    return (
        method == "OPTIONS"
        and _only(headers, b"origin") is not None
        and _only(headers, b"access-control-request-method") is not None
    )


def _only(headers: Headers, wanted: bytes) -> bytes | None:
    """The value of a header; None if the header is missing or there are several."""
    values = [value for name, value in headers if name == wanted]
    return values[0] if len(values) == 1 else None


def _joined(names: Sequence[str]) -> bytes:
    return ", ".join(names).encode()
