"""`Line`: a backend made from its settings, which counts its open calls and logs its failures."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from typing import Any, TypeAlias

import structlog

from endpointd.backends.dify_api import DifyApiBackend
from endpointd.backends.dify_inner import DifyInnerBackend
from endpointd.backends.http import Http
from endpointd.backends.openai import OpenAiBackend
from endpointd.errors import UsageError
from endpointd.sessions.backends import Backend
from endpointd.sessions.caller import Caller
from endpointd.sessions.errors import CallRefused
from endpointd.settings.backends import Backend as BackendSettings
from endpointd.settings.backends import DifyApi, DifyInner

log = structlog.get_logger()

_TROUBLE = frozenset({"failed", "timeout"})
"""The codes of refusals that are the backend's fault, which the operator should know about."""

Secrets: TypeAlias = Mapping[str, str]


class Line:
    """One backend with its connections, and the number of its open calls."""

    def __init__(self, settings: BackendSettings, secrets: Secrets, http: Http, backend: Backend) -> None:
        self._settings = settings
        self._secrets = secrets
        self._http = http
        self._backend = backend
        self._calls = 0
        self._is_idle = asyncio.Event()

    def is_for(self, settings: BackendSettings, secrets: Secrets) -> bool:
        """Whether it was made from the same settings and secrets."""
        return self._settings == settings and self._secrets == secrets

    async def answer(
        self, caller: Caller, kind: str, arguments: Mapping[str, Any], body: AsyncIterator[bytes]
    ) -> AsyncGenerator[object, None]:
        """Let the backend answer the call; log a failure of the backend."""
        self._calls += 1
        self._is_idle.clear()
        try:
            async with aclosing(self._backend.answer(caller, kind, arguments, body)) as items:
                async for item in items:
                    yield item
        except CallRefused as refused:
            if refused.code in _TROUBLE:
                log.warning(
                    "backend.failed", backend=self._http.name, plugin=caller.plugin, kind=kind, reason=refused.text
                )
            raise
        finally:
            self._calls -= 1
            if not self._calls:
                self._is_idle.set()

    async def close_when_idle(self) -> None:
        """Wait for the end of all open calls, then close the connections. No further call may begin."""
        if self._calls:
            await self._is_idle.wait()
        await self._http.close()


def line_of(name: str, settings: BackendSettings, secrets: Secrets) -> Line:
    """Create the backend `name`. Blocking, because certificates are read. Raises `UsageError`."""
    try:
        http = Http(name, settings, list(secrets.values()))
    except OSError as error:
        message = f"backend.{name}.ca_file = {settings.ca_file} cannot be used: {error.strerror or error}"
        raise UsageError("backend_ca_file", message, "name a file with certificates in PEM") from None
    return Line(settings, secrets, http, backend_of(settings, secrets, http))


def backend_of(settings: BackendSettings, secrets: Secrets, http: Http) -> Backend:
    """The backend of the type that `settings` is for."""
    if isinstance(settings, DifyInner):
        return DifyInnerBackend(http, settings, secrets["key"])
    if isinstance(settings, DifyApi):
        return DifyApiBackend(http, settings, secrets)
    return OpenAiBackend(http, settings, secrets.get("key"))
