"""What a node of a workflow gives."""

from typing import Any

from dify_plugin.entities.base import Entity


class NodeResponse(Entity):
    process_data: dict[str, Any] = {}  # noqa: RUF012 - copied for each entity
    inputs: dict[str, Any] = {}  # noqa: RUF012
    outputs: dict[str, Any] = {}  # noqa: RUF012
