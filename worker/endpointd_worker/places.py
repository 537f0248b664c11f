"""Decides which of a plugin's session calls may be opened now, and how long a call waits for that. Pure.

The number of open calls is limited. A streaming call stays open until the plugin has read all of it, and while reading
it the plugin may make another call. If streams could take all places, each of them might wait for a place, and none
would ever end.
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
"""Kinds of calls that end as soon as the host has answered, whatever the plugin does. All others are streaming
calls."""

MAX_STREAMS = MAX_CALLS - 16
"""The most streaming calls that may be open at once. The other places are kept for brief calls, which can therefore
always proceed."""

PATIENCE = 250.0
"""Seconds for which a call waits for a place, and then for each message of the reply, before it is given up."""

HOLDING = 5.0
"""Seconds for which a streaming call waits for a place if its request has another streaming call open: other calls may
be waiting for the place of that one."""


class Places:
    """The places for calls of one worker. Requests are identified by their stream id, calls by their call id."""

    def __init__(self) -> None:
        self._requests: dict[int, int | None] = {}
        """For each open streaming call, the request that has made it; None if no request has."""

    def is_free(self, kind: str, calls: int) -> bool:
        """Whether a call of this kind may be opened while `calls` are open."""
        return calls < MAX_CALLS and (kind in BRIEF or len(self._requests) < MAX_STREAMS)

    def patience(self, kind: str, request: int | None) -> float:
        """The seconds that a call of `request` may wait for a place, from now on."""
        is_holding = request is not None and request in self._requests.values()
        return HOLDING if is_holding and kind not in BRIEF else PATIENCE

    def take(self, call: int, kind: str, request: int | None) -> None:
        if kind not in BRIEF:
            self._requests[call] = request

    def leave(self, call: int) -> None:
        self._requests.pop(call, None)

    def refusal(self, kind: str, calls: int, patience: float) -> str:
        """The error message for a call that has got no place within `patience` seconds."""
        return (
            f"a call of the kind {kind[:80]!r} was not sent, for there was no place for it for {patience:g} s: {calls}"
            f" calls of this worker are open (at most {MAX_CALLS}), {len(self._requests)} of them streams (at most"
            f" {MAX_STREAMS}); read streams to their end, or close them, and try again"
        )
