"""Endpoints: a plugin with values for its settings, reachable at a hook id. Pure.

`Endpoint` is all that the gateway knows about an endpoint, whether an operator, a file or the daemon itself has made
it.
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
    """An endpoint as the gateway uses it. `settings` are complete, with defaults, and already packed as msgpack,
    because they are sent with every request."""

    hook_id: str
    plugin_id: str
    settings: bytes = field(repr=False)
    callers: CallerRules = UNSAID

    @classmethod
    def make(cls, hook_id: str, plugin: Plugin, values: Mapping[str, Any]) -> "Endpoint":
        """An endpoint of `plugin` with these values; defaults are filled in."""
        return cls(hook_id, plugin.id, pack_value(fill_defaults(plugin.settings, values)))


def endpoint_url(base: str, hook_id: str, path: str) -> str:
    """The URL of an interface. `base` is the scheme, host and port; `path` is the interface's path."""
    return f"{base}/e/{hook_id}{path}"
