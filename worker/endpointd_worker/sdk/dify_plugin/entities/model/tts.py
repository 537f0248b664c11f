"""Speech from a text."""

from dify_plugin.entities.model import ModelConfig, ModelType


class TTSModelConfig(ModelConfig):
    model_type: ModelType = ModelType.TTS
    voice: str = ""
