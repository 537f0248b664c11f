"""The rules of one endpoint, as they are kept. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class CorsRule:
    """Pages of which `origins` may call, and what of it: None is what everybody expects. `max_age` is in seconds."""

    origins: tuple[str, ...] = ()
    methods: tuple[str, ...] | None = None
    headers: tuple[str, ...] | None = None
    expose: tuple[str, ...] | None = None
    credentials: bool = False
    max_age: int | None = None

    def document(self) -> dict[str, Any]:
        """Only what was said."""
        said: dict[str, Any] = {"origins": list(self.origins) or ["none"]}
        for key in ("methods", "headers", "expose"):
            names = getattr(self, key)
            if names is not None:
                said[key] = list(names)
        if self.credentials:
            said["credentials"] = True
        return said if self.max_age is None else said | {"max_age": self.max_age}


@dataclass(frozen=True, slots=True)
class CallerRules:
    """Who may call. What is None is left to the daemon's settings; "any", "unlimited" and a rule for no origin are
    not. Everything is as `reading` gives it."""

    allow_from: tuple[str, ...] | None = None
    rate: str | None = None
    cors: CorsRule | None = None

    def document(self) -> dict[str, Any]:
        """As it is given; without what is None."""
        said: dict[str, Any] = {}
        if self.allow_from is not None:
            said["allow_from"] = list(self.allow_from)
        if self.rate is not None:
            said["rate"] = self.rate
        if self.cors is not None:
            said["cors"] = self.cors.document()
        return said

    def over(self, defaults: "CallerRules") -> "CallerRules":
        """These rules, and where they say nothing the others."""
        return CallerRules(
            defaults.allow_from if self.allow_from is None else self.allow_from,
            defaults.rate if self.rate is None else self.rate,
            defaults.cors if self.cors is None else self.cors,
        )


UNSAID = CallerRules()

KEYS = ("allow_from", "rate", "cors")
"""Of the rules in the document of an endpoint."""


def rules_in(document: Mapping[str, Any]) -> dict[str, Any]:
    """What a larger document says about the rules; a null says nothing."""
    return {key: document[key] for key in KEYS if document.get(key) is not None}
