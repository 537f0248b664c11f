"""What is shown in the place of a secret. Pure."""

from collections.abc import Collection, Mapping

MASK = "********"
"""The same for every secret, so that it tells nothing, not even the length."""


def mask(values: Mapping[str, object], secrets: Collection[str]) -> dict[str, object]:
    """The values, and the mask for each that is secret. What is absent stays absent."""
    return {name: MASK if name in secrets else value for name, value in values.items()}
