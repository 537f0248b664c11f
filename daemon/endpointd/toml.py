"""TOML that was written by anybody, as plain values, none of which harms who goes on with them. Pure."""

import tomllib
from typing import Any

MAX_DEPTH = 50
MAX_INTEGER = 2**63


def parse(text: str) -> dict[str, Any]:
    """Raises `ValueError` for what is no TOML, for numbers of more than 64 bits, which TOML does not ask anybody to
    take, and for what is nested so deeply that it cannot be walked through."""
    try:
        document = tomllib.loads(text)
    except RecursionError:
        raise _too_deep() from None
    level: list[object] = [document]
    for _ in range(MAX_DEPTH):
        if any(isinstance(value, int) and not -MAX_INTEGER <= value < MAX_INTEGER for value in level):
            raise ValueError("a number has more than 64 bits")
        level = [inner for value in level for inner in _within(value)]
        if not level:
            return document
    raise _too_deep()


def _within(value: object) -> list[object]:
    if isinstance(value, dict):
        return [*value.values()]
    return value if isinstance(value, list) else []


def _too_deep() -> ValueError:
    return ValueError(f"it is nested more than {MAX_DEPTH} levels deep")
