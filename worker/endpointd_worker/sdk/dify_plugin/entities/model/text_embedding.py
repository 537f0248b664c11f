"""Embeddings of texts."""

from enum import Enum
from typing import Any

from dify_plugin.entities.base import Entity
from dify_plugin.entities.model import ModelConfig, ModelType


class EmbeddingInputType(Enum):
    DOCUMENT = "document"
    QUERY = "query"


class TextEmbeddingModelConfig(ModelConfig):
    model_type: ModelType = ModelType.TEXT_EMBEDDING


class EmbeddingUsage(Entity):
    tokens: int = 0
    total_tokens: int = 0
    total_price: Any = 0
    currency: str = "USD"
    latency: float = 0.0


class TextEmbeddingResult(Entity):
    model: str = ""
    embeddings: list[list[float]]
    usage: EmbeddingUsage | None = None
