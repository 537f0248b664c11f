"""The limits of the number of tokens and of their duration. Pure."""

MOST = 1000
"""The largest number of tokens. Every check compares with all of them."""

LONGEST_DAYS = 3650
"""The longest duration of a token that expires."""
