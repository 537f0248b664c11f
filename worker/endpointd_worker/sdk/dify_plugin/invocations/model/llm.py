"""`session.model.llm`: answers of a large language model, as a stream of chunks or as a whole."""

from collections.abc import Generator, Iterable, Mapping
from typing import Any, Literal, overload

from dify_plugin.entities.model.llm import (
    LLMModelConfig,
    LLMResult,
    LLMResultChunk,
    LLMResultChunkWithStructuredOutput,
    LLMResultWithStructuredOutput,
    LLMUsage,
)
from dify_plugin.entities.model.message import AssistantPromptMessage, PromptMessage, PromptMessageTool
from dify_plugin.invocations.base import Invocation

Config = LLMModelConfig | Mapping[str, Any]
Messages = list[PromptMessage] | list[dict[str, Any]]


def request_of(
    config: Config, messages: Messages, tools: list[PromptMessageTool] | None, stop: list[str] | None, stream: bool
) -> dict[str, Any]:
    chosen = config if isinstance(config, LLMModelConfig) else LLMModelConfig(**config)
    return {
        **chosen.model_dump(),
        "prompt_messages": messages,
        "tools": tools,
        "stop": stop,
        "stream": stream,
    }


class LLMInvocation(Invocation):
    @overload
    def invoke(
        self,
        model_config: Config,
        prompt_messages: Messages,
        tools: list[PromptMessageTool] | None = None,
        stop: list[str] | None = None,
        stream: Literal[True] = True,
    ) -> Generator[LLMResultChunk, None, None]: ...
    @overload
    def invoke(
        self,
        model_config: Config,
        prompt_messages: Messages,
        tools: list[PromptMessageTool] | None = None,
        stop: list[str] | None = None,
        *,
        stream: Literal[False],
    ) -> LLMResult: ...
    def invoke(
        self,
        model_config: Config,
        prompt_messages: Messages,
        tools: list[PromptMessageTool] | None = None,
        stop: list[str] | None = None,
        stream: bool = True,
    ) -> Any:
        """A generator of chunks; with `stream=False` the whole answer."""
        chunks = self._chunks(request_of(model_config, prompt_messages, tools, stop, stream))
        return chunks if stream else LLMResult(**whole(chunks))

    def _chunks(self, request: dict[str, Any]) -> Generator[LLMResultChunk, None, None]:
        for item in self.items("llm", request):
            yield LLMResultChunk(**item)


class LLMStructuredOutputInvocation(Invocation):
    def invoke(
        self,
        model_config: Config,
        prompt_messages: Messages,
        structured_output_schema: Mapping[str, Any],
        tools: list[PromptMessageTool] | None = None,
        stop: list[str] | None = None,
        stream: bool = True,
    ) -> Any:  # noqa: ANN401 - chunks, or the whole
        """As `LLMInvocation.invoke`; `structured_output` of the result has the data that follows the JSON schema."""
        request = request_of(model_config, prompt_messages, tools, stop, stream)
        chunks = self._chunks({**request, "structured_output_schema": structured_output_schema})
        if stream:
            return chunks
        found = list(chunks)
        output = [chunk.structured_output for chunk in found if chunk.structured_output is not None]
        return LLMResultWithStructuredOutput(**whole(found), structured_output=output[-1] if output else None)

    def _chunks(self, request: dict[str, Any]) -> Generator[LLMResultChunkWithStructuredOutput, None, None]:
        for item in self.items("llm_structured_output", request):
            yield LLMResultChunkWithStructuredOutput(**item)


def whole(chunks: Iterable[LLMResultChunk]) -> dict[str, Any]:
    """Join the chunks of an answer: the fields of an `LLMResult`."""
    model, usage, fingerprint = "", LLMUsage(), None
    content: list[str] = []
    tool_calls: list[AssistantPromptMessage.ToolCall] = []
    for chunk in chunks:
        model, fingerprint = chunk.model or model, chunk.system_fingerprint or fingerprint
        usage = chunk.delta.usage or usage
        content.append(_text(chunk.delta.message.content))
        tool_calls += chunk.delta.message.tool_calls
    message = AssistantPromptMessage(content="".join(content), tool_calls=tool_calls)
    return {"model": model, "message": message, "usage": usage, "system_fingerprint": fingerprint}


def _text(content: str | list[Any] | None) -> str:
    if isinstance(content, list):
        return "".join(str(part.get("data", "")) for part in content if isinstance(part, Mapping))
    return content or ""
