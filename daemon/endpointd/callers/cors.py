"""What an endpoint with a rule for other origins' pages says to browsers (Fetch standard, "CORS protocol"). Pure.

Names of request headers are in lower case, as are those that are answered.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from endpointd.callers.origins import Origins
from endpointd.callers.reading import METHODS
from endpointd.callers.rules import CorsRule

MAX_AGE = 600
"""Seconds for which a browser may remember the answer to a preflight, when the rule does not say."""

_LONGEST = 4096
_NAMES = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+(?:[ \t]*,[ \t]*[!#$%&'*+\-.^_`|~0-9A-Za-z]+)*")

Headers = Sequence[tuple[bytes, bytes]]
_VARY = (b"vary", b"Origin")
_OURS = b"access-control-"
_EXPOSE = b"access-control-expose-headers"


class CorsHeaders(NamedTuple):
    """What an answer gets: `headers`, and whether they are others for another origin."""

    headers: tuple[tuple[bytes, bytes], ...]
    varies: bool

    def plain(self) -> tuple[tuple[bytes, bytes], ...]:
        """For an answer of the host's own, which has no such headers."""
        return (*self.headers, _VARY) if self.varies else self.headers

    def over(self, headers: Headers) -> list[tuple[bytes, bytes]]:
        """For an answer of a plugin's: what it says of origins itself is replaced, as the rule is the operator's; only
        the names of headers that a page may read stay, where the rule has none."""
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
    """A rule, ready for requests."""

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
        """For the answer to a request with these headers."""
        if self._origins.is_any:
            return CorsHeaders(((b"access-control-allow-origin", b"*"), *self._expose), varies=False)
        origin = _only(request, b"origin")
        if origin is None or not self._origins.has(origin.decode("latin-1")):
            return CorsHeaders((), varies=True)
        return CorsHeaders(((b"access-control-allow-origin", origin), *self._credentials, *self._expose), varies=True)

    def preflight(self, request: Headers) -> list[tuple[bytes, bytes]] | None:
        """The headers that answer a preflight; None when the origin may not call. What of it a page may do is the
        browser's to compare."""
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
        """All that the page wants to send, by name: "*" would not stand for Authorization."""
        asked = b", ".join(value for name, value in request if name == b"access-control-request-headers" and value)
        return asked if len(asked) <= _LONGEST and _NAMES.fullmatch(asked) else b""


def is_preflight(method: str, headers: Headers) -> bool:
    """Whether a browser asks if a page may send a request."""
    return (
        method == "OPTIONS"
        and _only(headers, b"origin") is not None
        and _only(headers, b"access-control-request-method") is not None
    )


def _only(headers: Headers, wanted: bytes) -> bytes | None:
    """The value of a header that is there once."""
    values = [value for name, value in headers if name == wanted]
    return values[0] if len(values) == 1 else None


def _joined(names: Sequence[str]) -> bytes:
    return ", ".join(names).encode()
