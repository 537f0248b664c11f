"""Who asks: a plugin, and what it may ask for."""

from dataclasses import dataclass

from endpointd.manifest.model import NO_PERMISSIONS, Permissions


@dataclass(frozen=True, slots=True)
class Caller:
    """`plugin` is the id; all versions of a plugin have the same."""

    plugin: str
    permissions: Permissions


NOBODY = Caller("", NO_PERMISSIONS)
