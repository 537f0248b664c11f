"""Why goals are missed, by the beginnings of their keys. Shown where a goal is missed, and only there.

``python bench/publish.py`` writes the page again with what is changed here.
"""

THREE_FOR_TWO = (
    "wrk, the host and the worker are three processes for two cores, where wrk and a peer's one process have a core "
    "each; the sections on the host's processor time say what the hop costs."
)

REASONS: dict[str, str] = {
    "duck-32-granian": THREE_FOR_TWO,
    "duck-256-granian": THREE_FOR_TWO,
    "document-32-granian": THREE_FOR_TWO,
    "document-256-granian": THREE_FOR_TWO,
}


def reason_for(key: str) -> str:
    """Return why the goal of this key is missed; the longest beginning counts."""
    fitting = [begin for begin in REASONS if key.startswith(begin)]
    return REASONS[max(fitting, key=len)] if fitting else "not found out yet."
