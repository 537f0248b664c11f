"""The rules of one endpoint, as they are stored. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class CorsRule:
    """The origins whose pages may call, and what such pages may do. None means the default. `max_age` is in seconds."""

    origins: tuple[str, ...] = ()
    methods: tuple[str, ...] | None = None
    headers: tuple[str, ...] | None = None
    expose: tuple[str, ...] | None = None
    credentials: bool = False
    max_age: int | None = None

    def document(self) -> dict[str, Any]:
        """The rule as JSON, without the keys that have their default."""
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
    """Who may call an endpoint. For what is None, the daemon's settings apply; "any", "unlimited" and a `CorsRule`
    without origins override them. All values are normalized as by `reading`."""

    allow_from: tuple[str, ...] | None = None
    rate: str | None = None
    cors: CorsRule | None = None

    def document(self) -> dict[str, Any]:
        """The rules as JSON, without those that are None."""
        said: dict[str, Any] = {}
        if self.allow_from is not None:
            said["allow_from"] = list(self.allow_from)
        if self.rate is not None:
            said["rate"] = self.rate
        if self.cors is not None:
            said["cors"] = self.cors.document()
        return said

    def over(self, defaults: "CallerRules") -> "CallerRules":
        """These rules, with those that are None taken from `defaults`."""
        return CallerRules(
            defaults.allow_from if self.allow_from is None else self.allow_from,
            defaults.rate if self.rate is None else self.rate,
            defaults.cors if self.cors is None else self.cors,
        )


UNSAID = CallerRules()

KEYS = ("allow_from", "rate", "cors")
"""The keys of the rules in the document of an endpoint."""


def rules_in(document: Mapping[str, Any]) -> dict[str, Any]:
    """The part of an endpoint's document that has the rules. Keys with null are left out."""
    return {key: document[key] for key in KEYS if document.get(key) is not None}
