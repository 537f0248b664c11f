"""What a plugin, its author and its description may be, and the nearest that may be used of something else. Pure.

Names and authors go by the stricter of the original's two rules, so that the plugin can be installed there too.
"""

import re
import unicodedata

from endpointd.errors import UsageError
from endpointd.manifest.findings import shown
from endpointd.manifest.texts import MAX_TEXT

MAX_NAME = 128
MAX_AUTHOR = 64

_ALLOWED = re.compile(r"[a-z0-9_-]+")
_NOT_ALLOWED = re.compile(r"[^a-z0-9_-]+")
_LINE_BREAKS = frozenset(["Cc", "Cs", "Zl", "Zp"])
"""Unicode's categories of what cannot be in a line of text."""


def fitted(text: str, longest: int) -> str:
    """`text` as a name: in lower case, without accents, with hyphens for what is not allowed. Empty: nothing is left
    of it."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return _NOT_ALLOWED.sub("-", plain).strip("-")[:longest].rstrip("-")


def check_name(name: str) -> None:
    """UsageError unless `name` can be that of a plugin."""
    if not _may_be(name, MAX_NAME):
        message = f"{shown(name)} cannot be the name of a plugin"
        raise UsageError("name_invalid", message, _remedy(name, MAX_NAME))


def check_author(author: str) -> None:
    """UsageError unless `author` can be that of a plugin."""
    if not _may_be(author, MAX_AUTHOR):
        message = f"{shown(author)} cannot be the author of a plugin"
        raise UsageError("author_invalid", message, _remedy(author, MAX_AUTHOR))


def check_description(text: str) -> None:
    """UsageError unless `text` is a line that the original takes for a description."""
    is_line = not any(unicodedata.category(character) in _LINE_BREAKS for character in text)
    if not text.strip() or not is_line or len(text) > MAX_TEXT:
        message = f"{shown(text)} cannot be a description"
        raise UsageError("description_invalid", message, f"give one line of 1 to {MAX_TEXT} characters")


def _may_be(text: str, longest: int) -> bool:
    return len(text) <= longest and _ALLOWED.fullmatch(text) is not None


def _remedy(text: str, longest: int) -> str:
    rule = f"use 1 to {longest} of the characters a-z 0-9 _ -"
    suggestion = fitted(text, longest)
    return f"{rule}: {suggestion}, for example" if suggestion else rule
