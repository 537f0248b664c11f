"""Checks whether a method can be called with the arguments that a request passes.

Looks at the function object itself and not at `inspect.signature`, which follows decorators to the functions that they
wrap, and evaluates annotations. Anything but a plain function is assumed to be callable.
"""

import inspect
from types import FunctionType


def takes(cls: type, name: str, arguments: int) -> bool:
    """Whether the method of this name can be called with so many positional arguments besides `self`. True if that
    cannot be told."""
    found = inspect.getattr_static(cls, name, None)
    if isinstance(found, staticmethod):
        return _takes(found.__func__, arguments)
    return _takes(found.__func__ if isinstance(found, classmethod) else found, arguments + 1)


def _takes(function: object, count: int) -> bool:
    if not isinstance(function, FunctionType):
        return True
    code = function.__code__
    most, optional = code.co_argcount, len(function.__defaults__ or ())
    keywords = code.co_varnames[most : most + code.co_kwonlyargcount]
    if any(name not in (function.__kwdefaults__ or {}) for name in keywords):
        return False
    return most - optional <= count and (count <= most or bool(code.co_flags & inspect.CO_VARARGS))
