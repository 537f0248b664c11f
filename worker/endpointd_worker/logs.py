"""The plugin's `logging` as messages to the host, with the id of the request that was being answered."""

import contextlib
import logging
import os
import sys
from contextvars import ContextVar

from endpointd_wire.messages import Log
from endpointd_worker.link import Link
from endpointd_worker.texts import MAX_TEXT, fit

request_id: ContextVar[str] = ContextVar("endpointd_request_id", default="")

own_log = logging.Manager(logging.root).getLogger("endpointd")
"""Where the worker tells of the plugin's failures. Neither `logging.config`, which disables the loggers that it finds,
nor `logging.disable` knows of it."""
own_log.setLevel(logging.INFO)


class HostHandler(logging.Handler):
    """Sends each record to the host; a worker without a host says nothing."""

    def __init__(self, link: Link) -> None:
        super().__init__()
        self._send = link.log

    def handle(self, record: logging.LogRecord) -> bool:
        """Without the lock that handlers have: a finalizer that logs while the link's is held must not wait for it."""
        passed = self.filter(record)
        if passed:
            self.emit(passed if isinstance(passed, logging.LogRecord) else record)
        return bool(passed)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = self.format(record)
        except Exception:  # noqa: BLE001 - a plugin's faulty log call must not become its faulty answer
            self.handleError(record)
            return
        with contextlib.suppress(Exception):
            # A record can be made by hand, of anything; a field of a wrong type would be the end of the worker.
            self._send(Log(int(record.levelno), fit(str(record.name), MAX_TEXT), fit(text, MAX_TEXT), request_id.get()))

    def leave(self) -> None:
        """This is a child of the worker's: its records are lines of output, as all that it says."""
        self._send = _write


def install(link: Link) -> None:
    root = logging.getLogger()
    handler = HostHandler(link)
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    os.register_at_fork(after_in_child=handler.leave)


def _write(record: Log) -> None:
    sys.stderr.write(f"{record.text}\n")
