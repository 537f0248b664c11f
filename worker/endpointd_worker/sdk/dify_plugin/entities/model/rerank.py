"""Reranking: sorting texts by how well they answer a query."""

from dify_plugin.entities.base import Entity
from dify_plugin.entities.model import ModelConfig, ModelType


class RerankModelConfig(ModelConfig):
    model_type: ModelType = ModelType.RERANK
    score_threshold: float | None = None
    top_n: int | None = None


class RerankDocument(Entity):
    index: int
    text: str
    score: float


class RerankResult(Entity):
    model: str = ""
    docs: list[RerankDocument]
