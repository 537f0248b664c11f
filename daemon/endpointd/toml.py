"""Parses TOML of unknown origin into values that are safe to process further. Pure."""

import tomllib
from typing import Any

MAX_DEPTH = 50
MAX_INTEGER = 2**63


def parse(text: str) -> dict[str, Any]:
    """Parse a TOML document. Raises ValueError if it is not TOML, contains integers of more than 64 bits (which TOML
    does not require parsers to accept), or is nested more than `MAX_DEPTH` levels deep."""
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
