"""A plugin's text made fit for a message: no longer than may be, and of characters that can travel."""

MAX_TEXT = 64 * 1024
"""Characters of a log record, or of a traceback. A frame must hold it four times over."""


def fit(text: str, limit: int) -> str:
    """At most `limit` characters of `text`, with a remark when that is not all."""
    if len(text) > limit:
        text = f"{text[:limit]}… ({len(text) - limit} more characters)"
    # Surrogates cannot travel; what is lost is a character that meant nothing.
    return text.encode("utf-8", "replace").decode()
