"""Text from speech."""

from dify_plugin.entities.model import ModelConfig, ModelType


class Speech2TextModelConfig(ModelConfig):
    model_type: ModelType = ModelType.SPEECH2TEXT
