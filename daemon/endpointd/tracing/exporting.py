"""How spans leave: in batches, from a thread of OpenTelemetry's, out of a queue with a bound; what is lost is counted.

The names of OpenTelemetry's variables hold for all of it: headers, certificates, the sampler, the size of the queue.
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
"""Seconds that the last spans have to leave when the daemon stops."""

SELDOM = 60.0
"""Seconds between two lines of the log about spans that were lost."""

QUEUE = 2048
"""Spans that may wait, unless OTEL_BSP_MAX_QUEUE_SIZE says otherwise: OpenTelemetry's own number."""

log = structlog.get_logger()


class LastWords(logging.Handler):
    """Keeps what OpenTelemetry says in place of logging it: it would say so for each batch, and clients can make it
    speak."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.text = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.text = record.getMessage()[:500]


class Counting(SpanExporter):
    """`exporter`, with its successes and failures counted. For one thread at a time."""

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
    """OpenTelemetry's, which throws away the oldest span when there are too many; this one the newest, and counts
    them."""

    def __init__(self, exporter: Counting, limit: int) -> None:
        super().__init__(exporter, max_queue_size=limit)
        self._counting = exporter
        self._limit = limit
        self._taken = 0
        self.dropped = 0

    @property
    def waiting(self) -> int:
        """Spans that are neither exported nor given up."""
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
    """Where the spans go. `stop` is the last that is called."""

    def __init__(self, url: str) -> None:
        """Raises `OperatorError`."""
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
        """How many spans became what."""
        counting = self._counting
        return {"exported": counting.exported, "failed": counting.failed, "dropped": self._queue.dropped}

    def look(self) -> None:
        """Called now and then: tell of what was lost, once in a while."""
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
        """Send what is left, for `seconds` at most; a thread that hangs at it does not outlive the process."""
        loop = asyncio.get_running_loop()
        done = asyncio.Event()

        def shut_down() -> None:
            self.provider.shutdown()
            # The loop may have ended meanwhile.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(done.set)

        threading.Thread(target=shut_down, name="tracing-flush", daemon=True).start()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await done.wait()
        self._tell(self._queue.waiting)


def whole(url: str) -> str:
    """Where there is no path, OTLP's own is meant."""
    return url if urlsplit(url).path.strip("/") else f"{url.rstrip('/')}/v1/traces"


def _capture() -> LastWords:
    words = LastWords()
    logger = logging.getLogger("opentelemetry")
    logger.handlers = [words]
    logger.propagate = False
    return words
