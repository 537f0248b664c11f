"""Origins of web pages (RFC 6454): parsing what operators write, and checking what browsers send. Pure."""

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

ANY, NONE = "*", "none"

_ORIGIN = re.compile(
    r"([a-z][a-z0-9+.-]*)://((?:\*\.)?(?:[a-z0-9_-]+\.)*[a-z0-9_-]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?", re.ASCII
)
_DEFAULT_PORTS = {"http": "80", "https": "443"}
_SUBDOMAINS = "://*."


def read_origin(text: str) -> str:
    """Normalize an origin to the form that browsers send ("https://app.example.com"). "https://*.example.com" stands
    for all subdomains, and "*" for every page. Raises ValueError with the reason if it is invalid."""
    word = text.strip().lower()
    if word == ANY:
        return word
    if word == "null":
        raise ValueError("the origin null is every page that has none, a hostile one too")
    found = _ORIGIN.fullmatch(word)
    if found is None:
        raise ValueError(_reason(word))
    scheme, host, port = found.groups()
    if port is not None and not 1 <= int(port) <= 65_535:
        raise ValueError("a port is a number from 1 to 65535")
    is_default = port is None or str(int(port)) == _DEFAULT_PORTS.get(scheme)
    return f"{scheme}://{host}" if is_default else f"{scheme}://{host}:{int(port)}"


def _reason(word: str) -> str:
    if "://" not in word:
        return "an origin begins with https:// or another scheme"
    try:
        parts = urlsplit(word)
    except ValueError:
        return "it is no origin"
    origin = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    if word != origin and _ORIGIN.fullmatch(origin):
        return f"an origin has neither path nor query; that of this page is {origin}"
    return "an origin is a scheme, a host in ASCII, and a port where it is not the scheme's own"


class Origins:
    """A list of origins, each as returned by `read_origin`."""

    def __init__(self, texts: Iterable[str]) -> None:
        words = set(texts)
        self.is_any = ANY in words
        self._exact = frozenset(word for word in words if _SUBDOMAINS not in word)
        self._below = tuple(word.split(_SUBDOMAINS) for word in sorted(words - self._exact))

    def has(self, origin: str) -> bool:
        """Whether an origin, as sent by a browser, is in the list."""
        if self.is_any or origin in self._exact:
            return True
        return any(self._is_below(origin, scheme, host) for scheme, host in self._below)

    @staticmethod
    def _is_below(origin: str, scheme: str, host: str) -> bool:
        found = _ORIGIN.fullmatch(origin)
        return found is not None and found[1] == scheme and origin.endswith(f".{host}")
