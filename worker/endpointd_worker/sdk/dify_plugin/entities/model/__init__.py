"""What every model has."""

from enum import Enum

from dify_plugin.entities.base import Entity


class ModelType(Enum):
    LLM = "llm"
    TEXT_EMBEDDING = "text-embedding"
    RERANK = "rerank"
    TTS = "tts"
    SPEECH2TEXT = "speech2text"
    MODERATION = "moderation"


class ModelConfig(Entity):
    """Which model: what a `model-selector` setting holds."""

    provider: str
    model: str
