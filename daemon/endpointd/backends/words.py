"""Extracts a readable text from errors: from the answers of servers, and from exceptions of the HTTP client."""

import os
import ssl
from collections.abc import Mapping


def words_of(fault: object) -> str:
    """The message in a JSON error as Dify, OpenAI and similar servers write it; empty if there is none."""
    if isinstance(fault, str):
        return " ".join(fault.split())
    if isinstance(fault, Mapping):
        for name in ("message", "error", "detail"):
            if fault.get(name):
                return words_of(fault[name])
    return ""


def reason_of(error: BaseException) -> str:
    """The reason for a failure of httpx. Its own text is vague, so this looks for a cause from the operating system or
    TLS in the chain of exceptions."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            # Also an OSError, but its `errno` is a number of OpenSSL's.
            return getattr(cause, "verify_message", None) or str(cause)
        if isinstance(cause, OSError) and cause.errno is not None:
            # Not `strerror` for a positive number, because asyncio adds the address to it. The numbers of name
            # resolution are negative, and `os.strerror` does not know them.
            return os.strerror(cause.errno) if cause.errno > 0 else str(cause.strerror)
        cause = cause.exceptions[0] if isinstance(cause, BaseExceptionGroup) else cause.__cause__ or cause.__context__
    return str(error) or type(error).__name__
