"""Sends the records of the plugin's `logging` to the host, with the id of the request that was being answered."""

import contextlib
import logging
import os
import sys
from collections.abc import Callable
from contextvars import ContextVar
from functools import partial
from typing import Any

from endpointd_wire.messages import Log
from endpointd_worker.link import Link
from endpointd_worker.texts import MAX_TEXT, fit

request_id: ContextVar[str] = ContextVar("endpointd_request_id", default="")
"""The id of the request that is being answered; empty outside a request."""

own_log = logging.Manager(logging.root).getLogger("endpointd")
"""The logger for what the worker reports about the plugin. It has a manager of its own, so that neither
`logging.config`, which disables existing loggers, nor `logging.disable` affects it."""
own_log.setLevel(logging.INFO)


class HostHandler(logging.Handler):
    """Sends each record to the host; drops it if the host is gone."""

    def __init__(self, link: Link) -> None:
        super().__init__()
        self._send = link.log

    def handle(self, record: logging.LogRecord) -> bool:
        """As in `logging.Handler`, but without its lock: a finalizer may log in a thread that holds the link's lock,
        and must not wait for another one."""
        passed = self.filter(record)
        if passed:
            self.emit(passed if isinstance(passed, logging.LogRecord) else record)
        return bool(passed)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = self.format(record)
        except Exception:  # noqa: BLE001 - a faulty log call must not fail the request
            self.handleError(record)
            return
        with contextlib.suppress(Exception):
            # A plugin can build a record with fields of any type; a wrong type in a message would end the worker.
            self._send(Log(int(record.levelno), fit(str(record.name), MAX_TEXT), fit(text, MAX_TEXT), request_id.get()))

    def detach(self) -> None:
        """Called in a forked child of the worker: print records instead, like all other output of a child."""
        self._send = _write


def install(link: Link) -> None:
    root = logging.getLogger()
    handler = HostHandler(link)
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    logging.basicConfig = partial(_configure, logging.basicConfig, handler)
    os.register_at_fork(after_in_child=handler.detach)


def _configure(configure: Callable[..., None], own: logging.Handler, **options: Any) -> None:  # noqa: ANN401 - any
    """Stands in for `logging.basicConfig`, which does nothing if the root logger has a handler already: `own`.

    The plugin gets the level and the file that it asks for. Handlers that write to the output are removed, because they
    would log everything a second time.
    """
    root = logging.getLogger()
    root.removeHandler(own)
    try:
        configure(**options)
        for handler in [*root.handlers]:
            if isinstance(handler, logging.StreamHandler) and handler.stream in (sys.stdout, sys.stderr):
                root.removeHandler(handler)
    finally:
        root.addHandler(own)


def _write(record: Log) -> None:
    sys.stderr.write(f"{record.text}\n")
