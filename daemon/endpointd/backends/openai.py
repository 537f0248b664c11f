"""The backend for servers with the API of OpenAI, which offer models."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import aclosing, contextmanager
from typing import Any

from endpointd.backends import payloads, prompts, results
from endpointd.backends.files import Form, received
from endpointd.backends.http import Answer, Content, Http
from endpointd.backends.sse import EventReader, EventTooLarge
from endpointd.backends.words import words_of
from endpointd.sessions.caller import Caller
from endpointd.sessions.errors import CallRefused
from endpointd.settings.backends import OpenAi

LAST = b"[DONE]"
"""The data of the event that ends a stream."""


class OpenAiBackend:
    """Answers the calls of models for which that API has an operation."""

    def __init__(self, http: Http, settings: OpenAi, key: str | None) -> None:
        self._http = http
        self._models = settings.models
        self._summary_model = settings.summary_model
        self._authorization = {} if key is None else {"Authorization": f"Bearer {key}"}
        self._headers = {**self._authorization, "Content-Type": "application/json"}

    async def answer(
        self,
        caller: Caller,  # noqa: ARG002 - a backend's signature
        kind: str,
        arguments: Mapping[str, Any],
        body: AsyncIterator[bytes],
    ) -> AsyncGenerator[object, None]:
        began = asyncio.get_running_loop().time()
        if kind in ("llm", "llm_structured_output"):
            items = self._chat(kind, arguments, began)
        elif kind == "tts":
            items = self._synthesize(arguments)
        else:
            yield await self._single(kind, arguments, body, began)
            return
        async with aclosing(items):
            async for item in items:
                yield item

    async def _single(
        self, kind: str, arguments: Mapping[str, Any], body: AsyncIterator[bytes], began: float
    ) -> object:
        if kind == "text_embedding":
            return await self._embed(arguments, began)
        if kind == "rerank":
            return await self._rerank(arguments)
        if kind == "speech2text":
            return await self._transcribe(arguments, body)
        if kind == "moderation":
            found = await self._post("moderations", {"model": self._model(arguments), "input": arguments.get("text")})
            with self._parsing():
                return {"result": results.is_flagged(found)}
        return await self._summarize(arguments)

    # Large language models

    async def _chat(self, kind: str, arguments: Mapping[str, Any], began: float) -> AsyncGenerator[object, None]:
        model = self._model(arguments)
        is_structured = kind == "llm_structured_output"
        request = (prompts.structured if is_structured else prompts.chat)(arguments, model)
        if not request.get("stream"):
            found = await self._post("chat/completions", request)
            with self._parsing():
                chunk = results.whole(found, model, _since(began))
                text = chunk["delta"]["message"]["content"]
                yield results.with_output(chunk, text) if is_structured else chunk
            return
        stream = results.ChatStream(model, kept=is_structured)
        content = await payloads.written(request)
        async with (
            self._http.ask("POST", "chat/completions", self._headers, content) as answer,
            aclosing(self._events(answer)) as events,
        ):
            async for event in events:
                with self._parsing():
                    chunk_or_none = stream.chunk(event, _since(began))
                if chunk_or_none is not None:
                    yield chunk_or_none
        for last in self._last(stream, is_structured):
            yield last

    def _last(self, stream: results.ChatStream, is_structured: bool) -> Iterator[object]:
        """The chunks that can only be made when the server's stream is complete."""
        rest = stream.rest()
        if rest is not None:
            yield rest
        if is_structured:
            with self._parsing():
                empty = results.ChatStream(stream.model).chunk({"choices": [{}]}, 0)
                yield results.with_output(empty or {}, "".join(stream.parts))

    async def _events(self, answer: Answer) -> AsyncGenerator[Mapping[str, Any], None]:
        """Yields the events of an answer. Raises `CallRefused` if the server reports an error or the answer is
        incomplete."""
        await self._refuse_json(answer, "events")
        reader = EventReader()
        async with aclosing(answer.pieces()) as pieces:
            try:
                async for piece in pieces:
                    for event in reader.receive(piece):
                        if event.data.strip() == LAST:
                            return
                        if event.data:
                            yield self._checked(await self._http.json(event.data))
            except EventTooLarge:
                raise self._http.failed("sent an event that is too large") from None
        raise self._http.failed("ended its answer before it was whole")

    def _checked(self, event: Any) -> Mapping[str, Any]:  # noqa: ANN401 - whatever the server says
        if not isinstance(event, Mapping):
            raise self._http.failed("sent an event that is no JSON object")
        self._check(event)
        return event

    def _check(self, said: object) -> None:
        """Raise `CallRefused` if the server reports an error; it may do so with a status of success."""
        if isinstance(said, Mapping) and said.get("error"):
            raise self._http.failed(f"says: {words_of(said['error']) or 'error'}")

    async def _refuse_json(self, answer: Answer, asked: str) -> None:
        """Raise `CallRefused` if the answer is JSON, where something else was asked for."""
        if answer.content_type == "application/json":
            self._check(await self._http.json(await answer.whole()))
            raise self._http.failed(f"sent JSON in the place of {asked}")

    async def _summarize(self, arguments: Mapping[str, Any]) -> object:
        if self._summary_model is None:
            text = f"the backend {self._http.name!r} has no model for summaries"
            raise CallRefused("unconfigured", f"{text}; write summary_model into [backend.{self._http.name}]")
        found = await self._post("chat/completions", prompts.summary(arguments, self._summary_model))
        with self._parsing():
            return {"summary": str(found["choices"][0]["message"]["content"])}

    # Other models

    async def _embed(self, arguments: Mapping[str, Any], began: float) -> object:
        model = self._model(arguments)
        request = {"model": model, "input": arguments.get("texts"), "encoding_format": "float"}
        found = await self._post("embeddings", request)
        with self._parsing():
            return results.embeddings(found, model, _since(began))

    async def _rerank(self, arguments: Mapping[str, Any]) -> object:
        model, docs = self._model(arguments), arguments.get("docs")
        if not isinstance(docs, list):
            raise CallRefused("invalid", "docs is no list")
        request = {"model": model, "query": arguments.get("query"), "documents": docs}
        if arguments.get("top_n") is not None:
            request["top_n"] = arguments["top_n"]
        found = await self._post("rerank", request)
        with self._parsing():
            return results.reranked(found, model, docs, arguments.get("score_threshold"))

    async def _synthesize(self, arguments: Mapping[str, Any]) -> AsyncGenerator[object, None]:
        request = {"model": self._model(arguments), "input": arguments.get("content_text")}
        if arguments.get("voice"):
            request["voice"] = arguments["voice"]
        content = await payloads.written(request)
        async with self._http.ask("POST", "audio/speech", self._headers, content) as answer:
            await self._refuse_json(answer, "sound")
            async with aclosing(answer.pieces()) as pieces:
                async for piece in pieces:
                    yield {"result": piece}

    async def _transcribe(self, arguments: Mapping[str, Any], body: AsyncIterator[bytes]) -> object:
        async with received(body, self._http.limit_file) as file:
            # The server takes the audio format from the name's extension; the plugin's call does not say it.
            form = Form({"model": self._model(arguments)}, "file", "speech.mp3", "audio/mpeg", file)
            headers = self._authorization | form.headers
            found = await self._ask("audio/transcriptions", headers, form.content())
        with self._parsing():
            return {"result": str(found["text"])}

    # For all kinds of calls

    def _model(self, arguments: Mapping[str, Any]) -> str:
        asked = arguments.get("model")
        if not isinstance(asked, str) or not asked:
            raise CallRefused("invalid", "the call names no model")
        return self._models.get(asked, asked)

    async def _post(self, place: str, request: Mapping[str, Any]) -> Any:  # noqa: ANN401 - whatever the server says
        return await self._ask(place, self._headers, await payloads.written(request))

    async def _ask(self, place: str, headers: Mapping[str, str], content: Content) -> Any:  # noqa: ANN401
        found = await self._http.ask_whole("POST", place, headers, content)
        self._check(found)
        return found

    @contextmanager
    def _parsing(self) -> Iterator[None]:
        """Turn the exceptions of `results` into `CallRefused`."""
        try:
            yield
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            what = f"{type(error).__name__}: {error}"
            raise self._http.failed(f"sent an answer that is not as OpenAI's: {what}") from None


def _since(began: float) -> float:
    """The seconds since `began`, a time of the event loop."""
    return round(asyncio.get_running_loop().time() - began, 3)
