"""How many tokens there may be, and how long one may be good. Pure."""

MOST = 1000
"""Every check compares with all of them."""

LONGEST_DAYS = 3650
