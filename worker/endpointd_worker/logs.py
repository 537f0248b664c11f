"""The plugin's `logging` as messages to the host, with the id of the request that was being answered."""

import contextlib
import logging
from contextvars import ContextVar

from endpointd_wire.messages import Log
from endpointd_worker.link import Link

MAX_TEXT = 64 * 1024
"""Characters of one record; the rest is cut with a remark. A frame must hold it four times over."""

request_id: ContextVar[str] = ContextVar("endpointd_request_id", default="")


class HostHandler(logging.Handler):
    """Sends each record to the host; a worker without a host says nothing."""

    def __init__(self, link: Link) -> None:
        super().__init__()
        self._link = link

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = self.format(record)
        except Exception:  # noqa: BLE001 - a plugin's faulty log call must not become its faulty answer
            self.handleError(record)
            return
        if len(text) > MAX_TEXT:
            text = f"{text[:MAX_TEXT]}… ({len(text) - MAX_TEXT} more characters)"
        # Surrogates cannot travel; what is lost is a character of a log line.
        text = text.encode("utf-8", "replace").decode()
        with contextlib.suppress(Exception):
            self._link.send(Log(record.levelno, record.name, text, request_id.get()))


def install(link: Link) -> None:
    root = logging.getLogger()
    root.addHandler(HostHandler(link))
    root.setLevel(logging.INFO)
