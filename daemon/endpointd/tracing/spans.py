"""Creates the spans of requests. Each request has a span, with child spans for its wait for a place, for the time until
the first byte of the answer, and for the plugin's session calls. The plugin gets the request's span as its parent (W3C
Trace Context).

Names and attributes follow OpenTelemetry's conventions for HTTP, except that path and query are left out, because
whoever knows a hook id can call the endpoint.
"""

import asyncio
from collections.abc import Callable
from time import monotonic, time_ns
from typing import Any

from opentelemetry.context import Context
from opentelemetry.trace import (
    INVALID_SPAN,
    Link,
    Span,
    SpanKind,
    StatusCode,
    Tracer,
    format_trace_id,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from endpointd.gateway.heads import Headers
from endpointd.gateway.trips import Trip
from endpointd.sessions.caller import Caller
from endpointd.sessions.calls import SessionCall
from endpointd.sessions.dispatch import UNKNOWN, AnswerCall
from endpointd.sessions.errors import CallRefused
from endpointd.sessions.permissions import NEEDS
from endpointd.supervisor.traffic import ABORTED

SPAN = "endpointd.span"
"""The key of a request's span in its ASGI scope."""

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"})

_PARENT, _STATE = b"traceparent", b"tracestate"
_SECOND = 1_000_000_000

_words = TraceContextTextMapPropagator()


class Spans:
    """`endpoint_of` returns the name to show for a hook id. `linked`: if the client sends a trace, start a new trace
    with a link to it, instead of continuing the client's."""

    def __init__(self, tracer: Tracer, endpoint_of: Callable[[str], str], *, linked: bool) -> None:
        self._tracer = tracer
        self._endpoint_of = endpoint_of
        self._linked = linked

    # For the gateway

    def begin(self, scope: dict[str, Any], headers: Headers, began: float | None) -> Span:
        """Start the span of a request that is to be sent to a worker, and change `headers` so that they name it as the
        parent. `began` is when the request began, in seconds of the monotonic clock; None means now."""
        start = None if began is None else _at(began)
        span = scope[SPAN] = self._start(scope, headers, start)
        if span.get_span_context().is_valid:
            told: dict[str, str] = {}
            _words.inject(told, set_span_in_context(span, Context()))
            headers[:] = [header for header in headers if header[0] not in (_PARENT, _STATE)]
            headers += [(name.encode(), value.encode("latin-1")) for name, value in told.items()]
        return span

    def over(self, trip: Trip) -> None:
        """End the span of a finished request. A request that was not sent to a worker gets its span only here."""
        scope = trip.scope
        span = scope.pop(SPAN, None) or self._start(scope, scope["headers"], _at(trip.began))
        context = span.get_span_context()
        trip.trace = format_trace_id(context.trace_id) if context.is_valid else ""
        if span.is_recording():
            self._steps(trip, span)
            self._describe(trip, span)
            span.end()

    def _start(self, scope: dict[str, Any], headers: Headers, start: int | None) -> Span:
        parent = _words.extract(_told_by(headers), Context())
        links = []
        if self._linked:
            theirs = get_current_span(parent).get_span_context()
            parent, links = Context(), [Link(theirs)] if theirs.is_valid else []
        method = scope["method"]
        known = {"http.request.method": method if method in METHODS else "_OTHER", "url.scheme": scope["scheme"]}
        name = method if method in METHODS else "HTTP"
        return self._tracer.start_span(name, parent, SpanKind.SERVER, known, links, start)

    def _steps(self, trip: Trip, span: Span) -> None:
        relay = trip.relay
        handed = relay.began if relay is not None else trip.began + trip.total
        if trip.waited:
            self._step(span, "queue", handed - trip.waited, trip.waited)
        if relay is not None:
            # If no answer came, the wait for it lasted until the end.
            latency = trip.began + trip.total - handed if relay.latency is None else relay.latency
            self._step(span, "first byte", handed, max(0.0, latency))

    def _step(self, parent: Span, name: str, began: float, seconds: float) -> None:
        start = _at(began)
        step = self._tracer.start_span(name, set_span_in_context(parent, Context()), start_time=start)
        step.end(start + int(seconds * _SECOND))

    def _describe(self, trip: Trip, span: Span) -> None:
        scope = trip.scope
        if trip.interface:
            span.update_name(trip.interface)
            span.set_attribute("http.route", trip.interface.partition(" ")[2])
        client = scope["client"]
        fields = {
            "http.response.status_code": trip.status,
            "network.protocol.version": scope["http_version"],
            "client.address": client[0] if client else "",
            "endpointd.plugin": trip.plugin,
            "endpointd.endpoint": self._endpoint_of(trip.hook) if trip.hook else "",
            "endpointd.request": trip.id,
            "endpointd.code": trip.code,
        }
        span.set_attributes({name: value for name, value in fields.items() if value})
        end = trip.end
        if end[1:] != "xx":
            span.set_attribute("endpointd.end", end)
        if trip.status >= 500 or end == ABORTED:
            span.set_attribute("error.type", trip.code or (end if end == ABORTED else str(trip.status)))
            span.set_status(StatusCode.ERROR, trip.code or None)

    # For the sessions

    def around(self, answer: AnswerCall) -> AnswerCall:
        """Wrap `answer`, so that each session call gets a span, as a child of the span of the calling request."""

        async def answer_in_span(caller: Caller, call: SessionCall) -> None:
            kind = call.kind if call.kind in NEEDS else UNKNOWN
            request = call.trace()
            above = request if isinstance(request, Span) else INVALID_SPAN
            known = {"endpointd.plugin": caller.plugin, "endpointd.call": kind}
            span = self._tracer.start_span(f"session {kind}", set_span_in_context(above, Context()), attributes=known)
            try:
                await answer(caller, call)
            except CallRefused as refused:
                span.set_attribute("error.type", refused.code)
                span.set_status(StatusCode.ERROR)
                raise
            except asyncio.CancelledError:
                span.set_attribute("endpointd.end", "cancelled")
                raise
            finally:
                span.end()

        return answer_in_span


def _at(moment: float) -> int:
    """Convert a time of the monotonic clock in seconds to nanoseconds since the epoch."""
    return time_ns() - int((monotonic() - moment) * _SECOND)


def _told_by(headers: Headers) -> dict[str, list[str]]:
    """The client's headers about its trace. If there are several `traceparent` headers, all are ignored (Trace Context
    §3.2); there may be several `tracestate` headers."""
    parents = [value.decode("latin-1") for name, value in headers if name == _PARENT]
    states = [value.decode("latin-1") for name, value in headers if name == _STATE]
    return {"traceparent": parents, "tracestate": states} if len(parents) == 1 else {}
