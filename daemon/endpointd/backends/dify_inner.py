"""The backend for Dify's inner API, which Dify's own plugin daemon uses."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from typing import Any
from urllib.parse import urljoin

from endpointd.backends import payloads
from endpointd.backends.files import Form, received
from endpointd.backends.framing import MAX_PAYLOAD, ChunkReader, FramingError
from endpointd.backends.http import Http
from endpointd.backends.words import words_of
from endpointd.sessions.caller import Caller
from endpointd.sessions.errors import CallRefused
from endpointd.settings.backends import DifyInner

STREAMS: Mapping[str, str] = {
    "app": "invoke/app",
    "llm": "invoke/llm",
    "llm_structured_output": "invoke/llm/structured-output",
    "tts": "invoke/tts",
    "tool": "invoke/tool",
}
"""The paths for calls whose answer is a stream of chunks; that includes apps in blocking mode."""

SINGLE: Mapping[str, str] = {
    "fetch_app": "fetch/app/info",
    "text_embedding": "invoke/text-embedding",
    "multimodal_embedding": "invoke/multimodal-embedding",
    "rerank": "invoke/rerank",
    "multimodal_rerank": "invoke/multimodal-rerank",
    "speech2text": "invoke/speech2text",
    "moderation": "invoke/moderation",
    "node_parameter_extractor": "invoke/parameter-extractor",
    "node_question_classifier": "invoke/question-classifier",
    "system_summary": "invoke/summary",
    "upload_file": "upload/file/request",
}
"""The paths for calls whose answer is one JSON document."""

_CREATED = 201


class DifyInnerBackend:
    """Answers calls of every kind."""

    def __init__(self, http: Http, settings: DifyInner, key: str) -> None:
        self._http = http
        self._base = settings.url
        self._tenant = settings.tenant
        self._headers = {"X-Inner-Api-Key": key, "Content-Type": "application/json"}

    async def answer(
        self,
        caller: Caller,  # noqa: ARG002 - a backend's signature
        kind: str,
        arguments: Mapping[str, Any],
        body: AsyncIterator[bytes],
    ) -> AsyncGenerator[object, None]:
        if kind in STREAMS:
            async with aclosing(self._stream(kind, arguments)) as items:
                async for item in items:
                    yield item
        elif kind == "upload_file":
            yield await self._upload(arguments, body)
        elif kind == "speech2text":
            async with received(body, min(self._http.limit_file, MAX_PAYLOAD)) as file:
                yield await self._single(kind, {**arguments, "file": (await file.whole()).hex()})
        else:
            found = await self._single(kind, arguments)
            yield found.get("data") if kind == "fetch_app" and isinstance(found, Mapping) else found

    async def _single(self, kind: str, arguments: Mapping[str, Any]) -> Any:  # noqa: ANN401 - of the kind
        content = await self._content(kind, arguments)
        return self._opened(await self._http.ask_whole("POST", _path(SINGLE[kind]), self._headers, content))

    async def _stream(self, kind: str, arguments: Mapping[str, Any]) -> AsyncGenerator[object, None]:
        content = await self._content(kind, arguments)
        chunks = ChunkReader()
        async with (
            self._http.ask("POST", _path(STREAMS[kind]), self._headers, content) as answer,
            aclosing(answer.pieces()) as pieces,
        ):
            try:
                async for piece in pieces:
                    for payload in chunks.receive(piece):
                        yield self._item(kind, self._opened(await self._http.json(payload)))
                chunks.finish()
            except FramingError as error:
                raise self._http.failed(f"sent no stream of Dify's inner API: {error}") from None

    async def _content(self, kind: str, arguments: Mapping[str, Any]) -> bytes:
        # These come last, so that a plugin's arguments cannot override them.
        return await payloads.written({**arguments, "tenant_id": self._tenant, "user_id": "", "type": kind})

    def _opened(self, envelope: object) -> Any:  # noqa: ANN401 - of the kind
        """The content of the envelope (`data` or `error`) that every answer is wrapped in. Raises `CallRefused` for an
        error."""
        if not isinstance(envelope, Mapping) or not {"data", "error"} & set(envelope):
            raise self._http.failed("sent what has neither data nor error in it")
        if envelope.get("error"):
            raise self._http.failed(f"says: {words_of(envelope['error']) or 'error'}")
        return envelope.get("data")

    def _item(self, kind: str, item: Any) -> object:  # noqa: ANN401 - of the kind
        if kind != "tts":
            return item
        try:
            return {"result": bytes.fromhex(item["result"])}
        except (KeyError, TypeError, ValueError):
            raise self._http.failed("sent sound that is not written in hexadecimal digits") from None

    async def _upload(self, arguments: Mapping[str, Any], body: AsyncIterator[bytes]) -> object:
        """Upload a file in two steps: ask Dify for a URL for this file, then send the file there."""
        filename, mimetype = arguments.get("filename"), arguments.get("mimetype")
        if not isinstance(filename, str) or not isinstance(mimetype, str):
            raise CallRefused("invalid", "a file that is uploaded has a filename and a mimetype, both str")
        async with received(body, self._http.limit_file) as file:
            place = await self._single("upload_file", {"filename": filename, "mimetype": mimetype})
            if not isinstance(place, Mapping) or not isinstance(place.get("url"), str):
                raise self._http.failed("did not say where the file is to be uploaded")
            form = Form({}, "file", filename, mimetype, file)
            url = urljoin(self._base + "/", place["url"])
            return await self._http.ask_whole("POST", url, form.headers, form.content(), ok=(_CREATED,))


def _path(place: str) -> str:
    return f"inner/api/{place}"
