"""The backend for Dify's public API, which offers only apps, each with its own key."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from typing import Any
from urllib.parse import quote

import structlog

from endpointd.backends import payloads
from endpointd.backends.files import Form, received
from endpointd.backends.http import Answer, Http
from endpointd.backends.sse import EventReader, EventTooLarge, ServerEvent
from endpointd.backends.words import words_of
from endpointd.sessions.caller import Caller
from endpointd.sessions.errors import CallRefused
from endpointd.settings.backends import DifyApi

INVOKE: Mapping[str, str] = {
    "chat": "chat-messages",
    "completion": "completion-messages",
    "workflow": "workflows/run",
}
"""The path that runs an app, by the app's mode."""

STOP: Mapping[str, str] = {
    "chat": "chat-messages/{}/stop",
    "completion": "completion-messages/{}/stop",
    "workflow": "workflows/tasks/{}/stop",
}
"""The path that stops a task of an app, by the app's mode."""

_MODES: Mapping[str, str] = {
    "chat": "chat",
    "agent-chat": "chat",
    "advanced-chat": "chat",
    "completion": "completion",
    "workflow": "workflow",
}
"""Dify's names for the modes of apps, and which of the three modes above each of them is."""

LAST = ("message_end", "workflow_finished", "workflow_paused")
"""A complete answer has at least one of these events: from chats and completions, from workflows, and from workflows
that wait for a person. A chatflow may send two of them, and sound may follow."""

STOPPING = 10.0
"""Seconds that the request to stop a task may take."""

PING: Mapping[str, str] = {"event": "ping"}
"""Dify sends pings while an app is at work. They are passed on: plugins know the event, and it shows that the call goes
on."""

_CREATED = (200, 201)

log = structlog.get_logger()


class DifyApiBackend:
    """Answers `app`, `fetch_app` and `upload_file`."""

    def __init__(self, http: Http, settings: DifyApi, secrets: Mapping[str, str]) -> None:
        self._http = http
        self._apps = settings.apps
        self._user = settings.user
        self._upload_app = settings.upload_app or next(iter(settings.apps))
        self._headers = {
            name: {"Authorization": f"Bearer {secrets[key]}", "Content-Type": "application/json"}
            for name, key in ((name, f'apps."{name}".key') for name in settings.apps)
        }
        self._modes = {name: app.mode for name, app in settings.apps.items() if app.mode is not None}

    async def answer(
        self, caller: Caller, kind: str, arguments: Mapping[str, Any], body: AsyncIterator[bytes]
    ) -> AsyncGenerator[object, None]:
        user = arguments.get("user") or self._user or caller.plugin
        if kind == "upload_file":
            yield await self._upload(user, arguments, body)
            return
        app_id = self._known(arguments.get("app_id"))
        if kind == "fetch_app":
            yield await self._http.ask_whole("GET", "parameters", self._headers[app_id])
            return
        mode = "chat" if "query" in arguments else await self._mode(app_id)
        request = _request(arguments, user)
        if request["response_mode"] == "blocking":
            content = await payloads.written(request)
            yield await self._http.ask_whole("POST", INVOKE[mode], self._headers[app_id], content)
            return
        async with aclosing(self._stream(app_id, mode, request)) as events:
            async for event in events:
                yield event

    def _known(self, app_id: object) -> str:
        if isinstance(app_id, str) and app_id in self._apps:
            return app_id
        shown = str(app_id)[:80]
        text = f"the backend {self._http.name!r} has no key for the app {shown!r}"
        remedy = f'write a table [backend.{self._http.name}.apps."{shown}"] with its key'
        raise CallRefused("unconfigured", f"{text}; {remedy}")

    async def _mode(self, app_id: str) -> str:
        """The mode of the app: from the configuration, or else from Dify, which is asked once."""
        if app_id not in self._modes:
            found = await self._http.ask_whole("GET", "info", self._headers[app_id])
            mode = _MODES.get(str(found.get("mode"))) if isinstance(found, Mapping) else None
            if mode is None:
                table = f'[backend.{self._http.name}.apps."{app_id}"]'
                text = f"the backend {self._http.name!r} does not say what kind of app {app_id!r} is"
                raise CallRefused("unconfigured", f"{text}; write mode in the table {table}")
            self._modes[app_id] = mode  # type: ignore[assignment]
        return self._modes[app_id]

    # Streaming answers

    async def _stream(self, app_id: str, mode: str, request: Mapping[str, Any]) -> AsyncGenerator[object, None]:
        content = await payloads.written(request)
        task = ""
        is_over = False
        try:
            async with (
                self._http.ask("POST", INVOKE[mode], self._headers[app_id], content) as answer,
                aclosing(self._events(answer)) as events,
            ):
                async for event in events:
                    task = task or str(event.get("task_id") or "")
                    yield event
            is_over = True
        finally:
            if task and not is_over:
                # Closing the connection does not stop the task in Dify.
                self._http.later(self._stop(app_id, mode, task, str(request["user"])))

    async def _events(self, answer: Answer) -> AsyncGenerator[Mapping[str, Any], None]:
        """Yields the events of an answer. Raises `CallRefused` if the app has failed or the answer is incomplete."""
        reader = EventReader()
        is_whole = False
        if answer.content_type != "text/event-stream":
            raise self._http.failed(f"sent {answer.content_type or 'something'} in the place of events")
        async with aclosing(answer.pieces()) as pieces:
            try:
                async for piece in pieces:
                    for event in reader.receive(piece):
                        found = await self._read(event)
                        if found is not None:
                            is_whole = is_whole or found.get("event") in LAST
                            yield found
            except EventTooLarge:
                raise self._http.failed("sent an event that is too large") from None
        if reader.is_within_event or not is_whole:
            raise self._http.failed("ended its answer before it was whole")

    async def _read(self, event: ServerEvent) -> Mapping[str, Any] | None:
        """The content of an event, None if it has none. Raises `CallRefused` if the event says that the app has
        failed."""
        if not event.data:
            return PING if event.name == "ping" else None
        found = await self._http.json(event.data)
        if not isinstance(found, Mapping):
            raise self._http.failed("sent an event that is no JSON object")
        if found.get("event") == "error":
            raise self._http.failed(f"says: {words_of(found) or 'error'} ({found.get('code')})")
        return found

    async def _stop(self, app_id: str, mode: str, task: str, user: str) -> None:
        try:
            async with asyncio.timeout(STOPPING):
                place = STOP[mode].format(quote(task, safe=""))
                await self._http.ask_whole("POST", place, self._headers[app_id], await payloads.written({"user": user}))
        except (CallRefused, TimeoutError) as error:
            # The task goes on in Dify and ends by itself.
            log.info("backend.not_stopped", backend=self._http.name, reason=str(error))

    # Files

    async def _upload(self, user: str, arguments: Mapping[str, Any], body: AsyncIterator[bytes]) -> object:
        filename, mimetype = arguments.get("filename"), arguments.get("mimetype")
        if not isinstance(filename, str) or not isinstance(mimetype, str):
            raise CallRefused("invalid", "a file that is uploaded has a filename and a mimetype, both str")
        authorization = {"Authorization": self._headers[self._upload_app]["Authorization"]}
        async with received(body, self._http.limit_file) as file:
            form = Form({"user": user}, "file", filename, mimetype, file)
            found = await self._http.ask_whole(
                "POST", "files/upload", authorization | form.headers, form.content(), ok=_CREATED
            )
        if not isinstance(found, Mapping):
            raise self._http.failed("answered an upload with what is no JSON object")
        return {**found, "type": _type_of(mimetype), "preview_url": found.get("preview_url")}


def _request(arguments: Mapping[str, Any], user: str) -> dict[str, Any]:
    mode = arguments.get("response_mode")
    request: dict[str, Any] = {
        "inputs": _with_uploads(arguments.get("inputs") or {}),
        "response_mode": "blocking" if mode == "blocking" else "streaming",
        "user": user,
    }
    if "query" in arguments:
        request |= {"query": arguments["query"], "conversation_id": arguments.get("conversation_id") or ""}
    return request


def _with_uploads(value: Any) -> Any:  # noqa: ANN401 - inputs of an app
    """`value` with references to files as this API takes them. Plugins refer to uploaded files as files of tools, as
    the inner API expects. Here all such files were uploaded through this backend."""
    if isinstance(value, list):
        return [_with_uploads(one) for one in value]
    if not isinstance(value, Mapping):
        return value
    if value.get("transfer_method") == "tool_file" and "tool_file_id" in value:
        others = {name: one for name, one in value.items() if name != "tool_file_id"}
        return {**others, "transfer_method": "local_file", "upload_file_id": value["tool_file_id"]}
    return {name: _with_uploads(one) for name, one in value.items()}


def _type_of(mimetype: str) -> str:
    """Dify's type of a file: image, video, audio or document."""
    kind = mimetype.partition("/")[0]
    return kind if kind in ("image", "video", "audio") else "document"
