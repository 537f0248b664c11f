"""The models of `session.model` besides large language models."""

from collections.abc import Generator
from typing import IO

from dify_plugin.entities.model.moderation import ModerationModelConfig
from dify_plugin.entities.model.rerank import RerankModelConfig, RerankResult
from dify_plugin.entities.model.speech2text import Speech2TextModelConfig
from dify_plugin.entities.model.text_embedding import (
    EmbeddingInputType,
    TextEmbeddingModelConfig,
    TextEmbeddingResult,
)
from dify_plugin.entities.model.tts import TTSModelConfig
from dify_plugin.invocations.base import Invocation


class TextEmbeddingInvocation(Invocation):
    def invoke(
        self,
        model_config: TextEmbeddingModelConfig,
        texts: list[str],
        input_type: EmbeddingInputType = EmbeddingInputType.QUERY,
    ) -> TextEmbeddingResult:
        request = {**model_config.model_dump(), "texts": texts, "input_type": input_type}
        return TextEmbeddingResult(**self.only("text_embedding", request))


class RerankInvocation(Invocation):
    def invoke(self, model_config: RerankModelConfig, docs: list[str], query: str) -> RerankResult:
        return RerankResult(**self.only("rerank", {**model_config.model_dump(), "docs": docs, "query": query}))


class TTSInvocation(Invocation):
    def invoke(self, model_config: TTSModelConfig, content_text: str) -> Generator[bytes, None, None]:
        """Yields the audio data, piece by piece."""
        for item in self.items("tts", {**model_config.model_dump(), "content_text": content_text}):
            yield item["result"]


class Speech2TextInvocation(Invocation):
    def invoke(self, model_config: Speech2TextModelConfig, file: IO[bytes]) -> str:
        return str(self.only("speech2text", model_config.model_dump(), file.read())["result"])


class ModerationInvocation(Invocation):
    def invoke(self, model_config: ModerationModelConfig, text: str) -> bool:
        """Whether the text is objectionable."""
        return bool(self.only("moderation", {**model_config.model_dump(), "text": text})["result"])


class SummaryInvocation(Invocation):
    def invoke(self, text: str, instruction: str, min_summarize_length: int = 1024) -> str:
        """A summary of `text`; a text of fewer than `min_summarize_length` characters is returned unchanged."""
        if len(text) < min_summarize_length:
            return text
        return str(self.only("system_summary", {"text": text, "instruction": instruction})["summary"])
