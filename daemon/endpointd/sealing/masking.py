"""The mask that is shown instead of a secret. Pure."""

MASK = "********"
"""The same for every secret, so that it does not even tell the length."""
