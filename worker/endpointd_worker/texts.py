"""Makes a plugin's text fit for a message: limited in length, and valid UTF-8."""

MAX_TEXT = 64 * 1024
"""The most characters of a log record or a traceback. A frame must be able to hold four times as many bytes."""


def fit(text: str, limit: int) -> str:
    """The first `limit` characters of `text`, with a remark if more were cut off."""
    if len(text) > limit:
        text = f"{text[:limit]}… ({len(text) - limit} more characters)"
    # Lone surrogates cannot be encoded; they become question marks.
    return text.encode("utf-8", "replace").decode()
