"""The plugin that makes a session call, and its permissions."""

from dataclasses import dataclass

from endpointd.manifest.model import NO_PERMISSIONS, Permissions


@dataclass(frozen=True, slots=True)
class Caller:
    """`plugin` is its id, which is the same for all its versions."""

    plugin: str
    permissions: Permissions


NOBODY = Caller("", NO_PERMISSIONS)
"""The default where no plugin is given."""
