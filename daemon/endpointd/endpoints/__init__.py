"""What a hook id stands for: an endpoint, which is a plugin with settings. Pure.

This is the seam at which endpoints come in, whoever makes them; a request knows nothing else about its settings.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from endpointd.callers.rules import UNSAID, CallerRules
from endpointd.manifest.model import Plugin
from endpointd.manifest.values import fill_defaults
from endpointd_wire.frames import pack_value


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`settings` are complete (defaults filled in) and packed once, because every request carries them."""

    hook_id: str
    plugin_id: str
    settings: bytes = field(repr=False)
    callers: CallerRules = UNSAID

    @classmethod
    def make(cls, hook_id: str, plugin: Plugin, values: Mapping[str, Any]) -> "Endpoint":
        return cls(hook_id, plugin.id, pack_value(fill_defaults(plugin.settings, values)))


def endpoint_url(base: str, hook_id: str, path: str) -> str:
    """Where an interface answers; `base` is what URLs begin with."""
    return f"{base}/e/{hook_id}{path}"
