"""What others say about their errors, in words that can be passed on."""

import os
import ssl
from collections.abc import Mapping


def words_of(fault: object) -> str:
    """The message of an error as Dify, OpenAI and their likes write it."""
    if isinstance(fault, str):
        return " ".join(fault.split())
    if isinstance(fault, Mapping):
        for name in ("message", "error", "detail"):
            if fault.get(name):
                return words_of(fault[name])
    return ""


def reason_of(error: BaseException) -> str:
    """In the words of the operating system or of TLS, if it is theirs: httpx has them below its own."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            # Its number is TLS's own.
            return getattr(cause, "verify_message", None) or str(cause)
        if isinstance(cause, OSError) and cause.errno is not None:
            # asyncio puts the address into its text; the codes of name resolution are negative, and not these.
            return os.strerror(cause.errno) if cause.errno > 0 else str(cause.strerror)
        cause = cause.exceptions[0] if isinstance(cause, BaseExceptionGroup) else cause.__cause__ or cause.__context__
    return str(error) or type(error).__name__
