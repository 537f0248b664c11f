"""The messages of a prompt."""

from enum import Enum
from typing import Any

from dify_plugin.entities.base import Entity


class PromptMessageRole(Enum):
    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


class PromptMessageTool(Entity):
    """A tool that a model may ask to be called; `parameters` is a JSON schema."""

    name: str
    description: str = ""
    parameters: dict[str, Any] = {}  # noqa: RUF012 - copied for each entity


class PromptMessageContentType(Enum):
    TEXT = "text"
    IMAGE = "image"
    AUDIO = "audio"
    VIDEO = "video"
    DOCUMENT = "document"


class TextPromptMessageContent(Entity):
    type: PromptMessageContentType = PromptMessageContentType.TEXT
    data: str


class ImagePromptMessageContent(Entity):
    type: PromptMessageContentType = PromptMessageContentType.IMAGE
    format: str = ""
    base64_data: str = ""
    url: str = ""
    mime_type: str = ""
    detail: str = "low"


class PromptMessage(Entity):
    """`content` is a text, or a list of contents (entities or `dict`s)."""

    role: PromptMessageRole
    content: str | list[Any] | None = None
    name: str | None = None


class SystemPromptMessage(PromptMessage):
    role: PromptMessageRole = PromptMessageRole.SYSTEM


class UserPromptMessage(PromptMessage):
    role: PromptMessageRole = PromptMessageRole.USER


class AssistantPromptMessage(PromptMessage):
    class ToolCall(Entity):
        class ToolCallFunction(Entity):
            name: str = ""
            arguments: str = ""

        id: str = ""
        type: str = "function"
        function: ToolCallFunction

    role: PromptMessageRole = PromptMessageRole.ASSISTANT
    tool_calls: list[ToolCall] = []  # noqa: RUF012


class ToolPromptMessage(PromptMessage):
    role: PromptMessageRole = PromptMessageRole.TOOL
    tool_call_id: str
