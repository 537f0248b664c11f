"""Makes sessions of Dify's SDK that call our host."""

import importlib
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from endpointd_worker.logs import HostHandler
from endpointd_worker.official.exchange import Caller, Exchange

MAX_THREADS = 1000
"""Of the executor that sessions share: as many as Dify's has (`MAX_WORKER`). They are greenlets."""


class SessionOpener:
    """Makes a session for each request. `call` makes a call to the host. To be created after the plugin was
    imported."""

    def __init__(self, call: Caller) -> None:
        self._call = call
        runtime = importlib.import_module("dify_plugin.core.runtime")
        reading = importlib.import_module("dify_plugin.core.server.__base.request_reader")
        writing = importlib.import_module("dify_plugin.core.server.__base.response_writer")
        entities = importlib.import_module("dify_plugin.core.entities.plugin.io")
        self._session: Callable[..., object] = _session_class(runtime.Session)
        self._local = importlib.import_module("dify_plugin.config.config").InstallMethod.Local
        self._reader = _reader_class(reading.RequestReader)
        self._writer = _writer_class(writing.ResponseWriter)
        self._event = partial(_make_event, entities)
        # It starts a thread only when something is submitted.
        self._executor = ThreadPoolExecutor(MAX_THREADS)
        _give_files_whole(call)
        _keep_log_single()

    def open(self, request_id: str, endpoint_id: str) -> object:
        exchange = Exchange(request_id, self._call, self._event)
        return self._session(
            session_id=request_id,
            executor=self._executor,
            reader=self._reader(exchange),
            writer=self._writer(exchange),
            install_method=self._local,
            endpoint_id=endpoint_id,
        )


def _session_class(base: Any) -> Callable[..., object]:  # noqa: ANN401 - a class of the SDK's
    class Session(base):  # type: ignore[misc]
        """Makes its invocation objects (`session.model`, …) when the first of them is used. Most requests use none, and
        making all of them takes as long as making werkzeug's request."""

        def _register_invocations(self) -> None:
            self._is_complete = False

        def __getattr__(self, name: str) -> object:
            if self.__dict__.get("_is_complete", True):
                raise AttributeError(f"{base.__name__!r} object has no attribute {name!r}")
            self._is_complete = True
            super()._register_invocations()
            return getattr(self, name)

    return Session


def _make_event(entities: Any, session_id: str, data: dict[str, Any]) -> object:  # noqa: ANN401 - a module of the SDK's
    event: object = entities.PluginInStreamBase(
        session_id=session_id, event=entities.PluginInStreamEvent.BackwardInvocationResponse, data=data
    )
    return event


def _reader_class(base: Any) -> Callable[[Exchange], object]:  # noqa: ANN401 - a class of the SDK's
    class Reader(base):  # type: ignore[misc]
        """Reads only replies; requests do not come through it here."""

        def __init__(self, exchange: Exchange) -> None:
            super().__init__()
            self.read = exchange.read

        def _read_stream(self) -> object:
            return iter(())

    return Reader


def _writer_class(base: Any) -> Callable[[Exchange], object]:  # noqa: ANN401 - a class of the SDK's
    class Writer(base):  # type: ignore[misc]
        def __init__(self, exchange: Exchange) -> None:
            super().__init__()
            self._exchange = exchange

        def write(self, data: str) -> None:
            self._exchange.write(data)

        def done(self) -> None:
            """Nothing to do: each line is processed when it is written."""

    return Writer


def _give_files_whole(call: Caller) -> None:
    """Replace the SDK's upload of files by one call that sends the content along. The SDK would ask for a URL and send
    the file there itself, but not every backend has such a URL."""
    files = importlib.import_module("dify_plugin.invocations.file")

    def upload(_: object, filename: str, content: bytes, mimetype: str) -> object:
        for reply in call("upload_file", {"filename": filename, "mimetype": mimetype}, bytes(content)):
            response: object = files.UploadFileResponse(**reply)
            return response
        raise RuntimeError(f"the upload of {filename} was not answered")

    files.File.upload = upload


def _keep_log_single() -> None:
    """Avoid that records are logged twice. Plugins attach the SDK's handler, which prints JSON, to their loggers; but
    the daemon already gets the records through the handler of the root logger. So let the SDK's handler only pass on
    records that do not reach the root logger."""
    formatting = importlib.import_module("dify_plugin.config.logger_format")
    handler: logging.Handler = formatting.plugin_logger_handler
    handler.emit = _emit_where_root_is_not_told  # type: ignore[method-assign]


def _emit_where_root_is_not_told(record: logging.LogRecord) -> None:
    logger: logging.Logger | None = logging.getLogger(record.name)
    while logger is not None and logger.propagate:
        logger = logger.parent
    if logger is not None:
        for handler in logging.getLogger().handlers:
            if isinstance(handler, HostHandler):
                handler.handle(record)
