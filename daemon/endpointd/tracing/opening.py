"""The interface of tracing for the daemon. While tracing is off, it does nothing, and imports no OpenTelemetry."""

from collections.abc import Callable
from importlib import import_module
from typing import Protocol

from endpointd.errors import OperatorError
from endpointd.gateway.trips import Trip, Trips
from endpointd.sessions.dispatch import AnswerCall
from endpointd.settings.settings import Settings


class Export(Protocol):
    """What `Tracing` needs of `exporting.Export`, which is imported only if tracing is on."""

    def counts(self) -> dict[str, int]: ...

    def look(self) -> None: ...

    async def stop(self) -> None: ...


class Tracing:
    """Tracing of one daemon, on if `trace_url` is set. `endpoint_of` returns the name to show for a hook id."""

    def __init__(self, settings: Settings, endpoint_of: Callable[[str], str]) -> None:
        """Raises `OperatorError` if tracing is on but OpenTelemetry is missing or cannot be set up."""
        self._export: Export | None = None
        if settings.trace_url is None:
            return
        try:
            # Imported only if it is used, because importing OpenTelemetry takes a fifth of a second.
            exporting = import_module("endpointd.tracing.exporting")
            spans = import_module("endpointd.tracing.spans")
        except ModuleNotFoundError as error:
            raise OperatorError(
                "tracing_not_installed",
                f"trace_url is set, and OpenTelemetry is not installed ({error.name} is missing)",
                "pip install 'endpointd[otel]', or take trace_url away",
            ) from error
        export = self._export = exporting.Export(settings.trace_url)
        tracer = export.provider.get_tracer("endpointd")
        self._spans = spans.Spans(tracer, endpoint_of, linked=settings.trace_parent == "link")

    def follow(self, trips: Trips) -> None:
        """Create a span for each request that `trips` reports. An existing `trips.tell` is called after that."""
        if self._export is None:
            return
        over, then = self._spans.over, trips.tell

        def tell(trip: Trip) -> None:
            over(trip)
            if then is not None:
                then(trip)

        trips.begin, trips.tell = self._spans.begin, tell

    def around(self, answer: AnswerCall) -> AnswerCall:
        """Wrap `answer`, so that each session call gets a span."""
        return answer if self._export is None else self._spans.around(answer)

    def counts(self) -> dict[str, int]:
        """The numbers of exported, failed and dropped spans; empty while tracing is off."""
        return {} if self._export is None else self._export.counts()

    def look(self) -> None:
        """Called regularly, to log lost spans."""
        if self._export is not None:
            self._export.look()

    async def stop(self) -> None:
        """Send the remaining spans, with a timeout."""
        if self._export is not None:
            await self._export.stop()
