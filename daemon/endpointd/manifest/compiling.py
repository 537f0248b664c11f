"""Compiles werkzeug's rules and maps safely while other threads do the same. Pure."""

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

TRIES = 100


def compiled(make: Callable[[], T]) -> T:
    """Call `make`, again after a SystemError, and return its result.

    werkzeug compiles a rule through a Python syntax tree, and CPython 3.11 counts the depth in such trees once for all
    threads. If a thread is interrupted while it builds a tree, and another one builds one too, the count is wrong for
    the first, which gets a SystemError ("AST constructor recursion depth mismatch") although the rule is valid.
    """
    for _ in range(TRIES - 1):
        try:
            return make()
        except SystemError:
            continue
    return make()
