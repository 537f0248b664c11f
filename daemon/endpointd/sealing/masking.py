"""What is shown in the place of a secret. Pure."""

MASK = "********"
"""The same for every secret, so that it tells nothing, not even the length."""
