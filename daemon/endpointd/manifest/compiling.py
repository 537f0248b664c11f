"""Making werkzeug's rules and maps while other threads make theirs. Pure."""

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

TRIES = 100


def compiled(make: Callable[[], T]) -> T:
    """What `make` makes; it begins anew each time that it is called.

    werkzeug compiles a rule by way of a syntax tree, and CPython 3.11 has one count of how deep it is in a tree for all
    threads. Where a thread is interrupted in the middle and another one makes a tree too, the count is wrong for the
    first, which gets a SystemError ("AST constructor recursion depth mismatch") and no rule. The rule is not to blame.
    """
    for _ in range(TRIES - 1):
        try:
            return make()
        except SystemError:
            continue
    return make()
