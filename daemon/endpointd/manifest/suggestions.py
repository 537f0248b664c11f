"""Finding what an author probably meant by a word that is not known."""

from collections.abc import Collection
from difflib import get_close_matches

from endpointd.manifest.findings import shown

# Comparing takes time that grows with the square of the length, and nobody misspells a word this long.
MAX_WORD = 100


def near(name: str, known: Collection[str]) -> list[str]:
    """The known name that this one is most likely to mean, or nothing."""
    if len(name) > MAX_WORD:
        return []
    same = [other for other in known if other.lower() == name.lower()]
    return same[:1] or get_close_matches(name, list(known), n=1, cutoff=0.8)


def one_of(known: Collection[str]) -> str:
    """The remedy that lists what may be written."""
    return f"use one of {', '.join(known)}"


def meant(value: str, known: Collection[str]) -> str:
    """The remedy for an unknown word: the nearest known one, or all of them."""
    close = near(value, known)
    return f"did you mean {shown(close[0])}?" if close else one_of(known)
