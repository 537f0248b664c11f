"""Suggestions for what an author probably meant by an unknown word."""

from collections.abc import Collection
from difflib import get_close_matches

from endpointd.manifest.findings import shown

# The time for a comparison grows with the square of the length, and no known word is this long.
MAX_WORD = 100


def near(name: str, known: Collection[str]) -> list[str]:
    """A list with the known name that `name` most probably means; empty if none is similar."""
    if len(name) > MAX_WORD:
        return []
    same = [other for other in known if other.lower() == name.lower()]
    return same[:1] or get_close_matches(name, list(known), n=1, cutoff=0.8)


def one_of(known: Collection[str]) -> str:
    """A remedy that lists the known words."""
    return f"use one of {', '.join(known)}"


def meant(value: str, known: Collection[str]) -> str:
    """The remedy for an unknown word: names the most similar known one, or else all of them."""
    close = near(value, known)
    return f"did you mean {shown(close[0])}?" if close else one_of(known)
