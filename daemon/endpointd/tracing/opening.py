"""Tracing for a daemon: all of it, or nothing when it is off."""

from collections.abc import Callable
from importlib import import_module
from typing import Protocol

from endpointd.errors import OperatorError
from endpointd.gateway.trips import Trip, Trips
from endpointd.sessions.dispatch import AnswerCall
from endpointd.settings import Settings


class Export(Protocol):
    """What is asked of the way that spans leave by."""

    def counts(self) -> dict[str, int]: ...

    def look(self) -> None: ...

    async def stop(self) -> None: ...


class Tracing:
    """`counts` has no spans while it is off."""

    def __init__(self, settings: Settings, endpoint_of: Callable[[str], str]) -> None:
        """Raises `OperatorError`: it is asked for, and cannot be had."""
        self._export: Export | None = None
        if settings.trace_url is None:
            return
        try:
            # OpenTelemetry takes a fifth of a second to import, which is paid by who uses it.
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
        """Have a span made of each request that `trips` hears of; whoever is told of it already, is told after."""
        if self._export is None:
            return
        over, then = self._spans.over, trips.tell

        def tell(trip: Trip) -> None:
            over(trip)
            if then is not None:
                then(trip)

        trips.begin, trips.tell = self._spans.begin, tell

    def around(self, answer: AnswerCall) -> AnswerCall:
        """`answer`, with a span for each session call."""
        return answer if self._export is None else self._spans.around(answer)

    def counts(self) -> dict[str, int]:
        """How many spans became what."""
        return {} if self._export is None else self._export.counts()

    def look(self) -> None:
        """Called now and then."""
        if self._export is not None:
            self._export.look()

    async def stop(self) -> None:
        """Send what is left, within a clock."""
        if self._export is not None:
            await self._export.stop()
