"""The automatic endpoint, which a plugin gets at its own name without an operator. Pure."""

from collections.abc import Mapping
from typing import Any

from endpointd.endpoints import Endpoint
from endpointd.endpoints.values import faults_of, given_values
from endpointd.manifest.model import Plugin


def own_endpoint(plugin: Plugin, values: Mapping[str, Any]) -> Endpoint | None:
    """The plugin's automatic endpoint with these values for its settings; None if they are not valid, for example
    because a required one is missing."""
    if faults_of(plugin, values):
        return None
    return Endpoint.make(plugin.name, plugin, given_values(plugin, values))
