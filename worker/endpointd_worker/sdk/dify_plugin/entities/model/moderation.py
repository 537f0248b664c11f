"""Whether a text is acceptable."""

from dify_plugin.entities.model import ModelConfig, ModelType


class ModerationModelConfig(ModelConfig):
    model_type: ModelType = ModelType.MODERATION
