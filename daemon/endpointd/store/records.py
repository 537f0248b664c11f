"""The record of an endpoint. Pure."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from endpointd.callers.rules import UNSAID, CallerRules
from endpointd.errors import UsageError

_HOOK_ID = re.compile(r"[a-z0-9_-]{1,64}")
_ID = re.compile(r"[0-9a-f]{32}")
_LONGEST_NAME = 200

Origin = Literal["operator", "file"]


@dataclass(frozen=True, slots=True)
class EndpointRecord:
    """One endpoint. `settings` are plain values, in memory only; `secrets` are the names of those that are stored
    sealed.

    `origin` says who has made it: an operator, or the declarative file. Times are seconds since the epoch. The
    constructor checks the fields: it raises `UsageError` for those that an operator chooses, and ValueError for the
    others. The repr does not show the settings.
    """

    id: str
    hook_id: str
    plugin: str
    name: str
    settings: Mapping[str, Any] = field(repr=False)
    secrets: frozenset[str]
    enabled: bool
    origin: Origin
    created_at: float
    updated_at: float
    callers: CallerRules = UNSAID

    def __post_init__(self) -> None:
        if not _ID.fullmatch(self.id):
            raise ValueError("the id of an endpoint is 32 hexadecimal digits")
        if self.origin not in ("operator", "file") or not _is_plain(self.plugin):
            raise ValueError("origin or plugin of an endpoint is none")
        check_hook_id(self.hook_id)
        check_name(self.name)


def check_hook_id(hook_id: str) -> None:
    """Raise `UsageError` if the text is not valid as a hook id."""
    if not _HOOK_ID.fullmatch(hook_id):
        raise UsageError(
            "hook_id_invalid", f"{hook_id[:80]!r} is no hook id", "give up to 64 characters out of a-z, 0-9, _ and -"
        )


def check_name(name: str) -> None:
    """Raise `UsageError` if the text is not valid as the name of an endpoint."""
    if not name.strip() or len(name) > _LONGEST_NAME or not _is_plain(name):
        raise UsageError(
            "endpoint_name_invalid",
            f"{name[:80]!r} is no name of an endpoint",
            f"give up to {_LONGEST_NAME} characters in one line, not all of them blanks",
        )


def _is_plain(text: str) -> bool:
    """Whether every database can store the text, and every terminal can show it in one line."""
    return all(unicodedata.category(c) not in ("Cc", "Cs", "Zl", "Zp") for c in text)
