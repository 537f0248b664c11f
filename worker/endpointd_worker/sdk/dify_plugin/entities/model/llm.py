"""Large language models: their configuration, and their answers."""

from typing import Any

from dify_plugin.entities.base import Entity
from dify_plugin.entities.model import ModelConfig, ModelType
from dify_plugin.entities.model.message import AssistantPromptMessage


class LLMModelConfig(ModelConfig):
    model_type: ModelType = ModelType.LLM
    mode: str = "chat"
    completion_params: dict[str, Any] = {}  # noqa: RUF012 - copied for each entity


class LLMUsage(Entity):
    """The tokens and the price of an answer. Other fields that a provider sends are dropped."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    total_price: Any = 0
    currency: str = "USD"
    latency: float = 0.0


class LLMResultChunkDelta(Entity):
    index: int = 0
    message: AssistantPromptMessage
    usage: LLMUsage | None = None
    finish_reason: str | None = None


class LLMResultChunk(Entity):
    """A piece of an answer that is being generated."""

    model: str = ""
    prompt_messages: list[Any] = []  # noqa: RUF012
    system_fingerprint: str | None = None
    delta: LLMResultChunkDelta


class LLMResult(Entity):
    """A whole answer."""

    model: str = ""
    prompt_messages: list[Any] = []  # noqa: RUF012
    message: AssistantPromptMessage
    usage: LLMUsage | None = None
    system_fingerprint: str | None = None


class LLMStructuredOutput(Entity):
    structured_output: dict[str, Any] | None = None


class LLMResultChunkWithStructuredOutput(LLMResultChunk):
    structured_output: dict[str, Any] | None = None


class LLMResultWithStructuredOutput(LLMResult):
    structured_output: dict[str, Any] | None = None
