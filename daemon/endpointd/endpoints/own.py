"""The endpoint that a plugin has without an operator's doing, at its own name. Pure."""

from collections.abc import Mapping
from typing import Any

from endpointd.endpoints import Endpoint
from endpointd.endpoints.values import faults_of, given_values
from endpointd.manifest.model import Plugin


def own_endpoint(plugin: Plugin, values: Mapping[str, Any]) -> Endpoint | None:
    """With these values for its settings; None when they do not suit it: a required one is missing, say."""
    if faults_of(plugin, values):
        return None
    return Endpoint.make(plugin.name, plugin, given_values(plugin, values))
