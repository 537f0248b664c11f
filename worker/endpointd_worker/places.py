"""Which of the calls that a plugin makes get a place among the open ones, and how long one waits for it. Pure.

A stream keeps its place until the plugin has read it to its end, for which the plugin may need another call: if all
that are open waited for such a one, none would ever end.
"""

from endpointd_wire.calls import MAX_CALLS

BRIEF = frozenset(
    {
        "storage",
        "fetch_app",
        "upload_file",
        "text_embedding",
        "multimodal_embedding",
        "rerank",
        "multimodal_rerank",
        "speech2text",
        "moderation",
        "node_parameter_extractor",
        "node_question_classifier",
        "system_summary",
    }
)
"""Kinds of calls that are over when they are answered, whatever the plugin does. All others are streams."""

MAX_STREAMS = MAX_CALLS - 16
"""Streams that may be open at once. The other places are kept for what is brief, which so goes on always."""

PATIENCE = 250.0
"""Seconds without news of a call, or without a place for it, after which it is given up."""

HOLDING = 5.0
"""Seconds that a stream waits for a place when its request has another one open, which somebody may wait for."""


class Places:
    """The places of a worker. A request is named by its stream on the wire."""

    def __init__(self) -> None:
        self._requests: dict[int, int | None] = {}
        """Which ask for the open streams, by the numbers of the calls."""

    def is_free(self, kind: str, calls: int) -> bool:
        """Whether another call may be made when so many are open."""
        return calls < MAX_CALLS and (kind in BRIEF or len(self._requests) < MAX_STREAMS)

    def patience(self, kind: str, request: int | None) -> float:
        """Seconds that a call of the request waits, which begins to do so now."""
        is_holding = request is not None and request in self._requests.values()
        return HOLDING if is_holding and kind not in BRIEF else PATIENCE

    def take(self, call: int, kind: str, request: int | None) -> None:
        if kind not in BRIEF:
            self._requests[call] = request

    def leave(self, call: int) -> None:
        self._requests.pop(call, None)

    def refusal(self, kind: str, calls: int, patience: float) -> str:
        """What is said to who has waited in vain."""
        return (
            f"a call of the kind {kind[:80]!r} was not sent, for there was no place for it for {patience:g} s: {calls}"
            f" calls of this worker are open (at most {MAX_CALLS}), {len(self._requests)} of them streams (at most"
            f" {MAX_STREAMS}); read streams to their end, or close them, and try again"
        )
