"""Exports spans: a thread of OpenTelemetry sends them in batches, from a bounded queue. Lost spans are counted.

OpenTelemetry's own environment variables configure headers, certificates, the sampler and the size of the queue.
"""

import asyncio
import contextlib
import logging
import os
import threading
from collections.abc import Sequence
from time import monotonic
from urllib.parse import urlsplit

import structlog
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from endpointd import __version__
from endpointd.errors import OperatorError

FLUSH = 3.0
"""The timeout in seconds for sending the remaining spans when the daemon stops."""

SELDOM = 60.0
"""The smallest interval in seconds between two log lines about lost spans."""

QUEUE = 2048
"""The size of the queue in spans, unless OTEL_BSP_MAX_QUEUE_SIZE is set; equal to OpenTelemetry's default."""

log = structlog.get_logger()


class LastWords(logging.Handler):
    """Keeps the last message that OpenTelemetry logs, instead of passing it on: there would be one for each failed
    batch, and clients can cause some of them."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.text = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.text = record.getMessage()[:500]


class Counting(SpanExporter):
    """Wraps `exporter`, and counts the exported and the failed spans. To be used by one thread at a time."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self.exported = 0
        self.failed = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = SpanExportResult.FAILURE
        try:
            result = self._exporter.export(spans)
        finally:
            if result is SpanExportResult.SUCCESS:
                self.exported += len(spans)
            else:
                self.failed += len(spans)
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()


class Bounded(BatchSpanProcessor):
    """If the queue is full, OpenTelemetry's processor drops the oldest span. This one drops the newest, and counts the
    dropped ones."""

    def __init__(self, exporter: Counting, limit: int) -> None:
        super().__init__(exporter, max_queue_size=limit)
        self._counting = exporter
        self._limit = limit
        self._taken = 0
        self.dropped = 0

    @property
    def waiting(self) -> int:
        """The number of spans that are neither exported nor failed."""
        return self._taken - self._counting.exported - self._counting.failed

    def on_end(self, span: ReadableSpan) -> None:
        if span.context is None or not span.context.trace_flags.sampled:
            return
        if self.waiting >= self._limit:
            self.dropped += 1
            return
        self._taken += 1
        super().on_end(span)


class Export:
    """Exports spans to an OTLP endpoint. `stop` must be the last call."""

    def __init__(self, url: str) -> None:
        """Prepare the export to `url` (the setting `trace_url`). Raises `OperatorError`."""
        url = self._url = whole(url)
        self._words = _capture()
        try:
            self._counting = Counting(OTLPSpanExporter(url))
            self._queue = Bounded(self._counting, int(os.environ.get("OTEL_BSP_MAX_QUEUE_SIZE", QUEUE)))
            own = {SERVICE_NAME: os.environ.get("OTEL_SERVICE_NAME") or "endpointd", SERVICE_VERSION: __version__}
            self.provider = TracerProvider(resource=Resource.create(own), shutdown_on_exit=False)
        except (ValueError, OSError) as error:
            raise OperatorError(
                "tracing_unusable",
                f"tracing cannot be set up for {url}: {error}",
                "see trace_url and the variables of OpenTelemetry (OTEL_…)",
            ) from error
        self.provider.add_span_processor(self._queue)
        self._lost = 0
        self._told = -SELDOM

    def counts(self) -> dict[str, int]:
        """The numbers of exported, failed and dropped spans."""
        counting = self._counting
        return {"exported": counting.exported, "failed": counting.failed, "dropped": self._queue.dropped}

    def look(self) -> None:
        """Called regularly: log the number of newly lost spans, at most once every `SELDOM` seconds."""
        if monotonic() - self._told >= SELDOM:
            self._tell()

    def _tell(self, unsent: int = 0) -> None:
        counts = self.counts()
        lost = counts["failed"] + counts["dropped"] + unsent
        if lost > self._lost:
            because = self._words.text or None
            log.warning("tracing.spans_lost", url=self._url, spans=lost - self._lost, **counts, because=because)
            self._lost, self._told = lost, monotonic()

    async def stop(self, seconds: float = FLUSH) -> None:
        """Send the remaining spans, waiting for `seconds` at most. It is done in a daemon thread, so that sending that
        hangs does not keep the process from exiting."""
        loop = asyncio.get_running_loop()
        done = asyncio.Event()

        def shut_down() -> None:
            self.provider.shutdown()
            # The event loop may be closed by now.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(done.set)

        threading.Thread(target=shut_down, name="tracing-flush", daemon=True).start()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await done.wait()
        self._tell(self._queue.waiting)


def whole(url: str) -> str:
    """The URL with OTLP's default path if it has none."""
    return url if urlsplit(url).path.strip("/") else f"{url.rstrip('/')}/v1/traces"


def _capture() -> LastWords:
    words = LastWords()
    logger = logging.getLogger("opentelemetry")
    logger.handlers = [words]
    logger.propagate = False
    return words
