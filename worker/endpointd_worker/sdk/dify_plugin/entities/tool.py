"""Tools that a plugin may call."""

from enum import Enum
from typing import Any

from dify_plugin.entities.base import Entity


class ToolProviderType(Enum):
    BUILT_IN = "builtin"
    WORKFLOW = "workflow"
    API = "api"
    APP = "app"
    DATASET_RETRIEVAL = "dataset-retrieval"
    MCP = "mcp"


class ToolInvokeMessage(Entity):
    """One message of a tool: `type` says what `message` holds (text, json, link, blob and others)."""

    type: str = "text"
    message: Any = None
    meta: dict[str, Any] | None = None
