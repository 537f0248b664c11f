"""What all kinds of models have in common."""

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
    """Which model to use: the value of a `model-selector` setting."""

    provider: str
    model: str
