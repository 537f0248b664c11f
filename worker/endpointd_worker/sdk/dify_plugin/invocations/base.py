"""How every part of the session asks the daemon."""

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from dify_plugin.entities.base import plain


class Caller(Protocol):
    """How the daemon is asked; the worker gives one to every session."""

    def __call__(self, kind: str, arguments: Mapping[str, object], body: bytes = b"") -> Iterator[Any]: ...


class CallingSession(Protocol):
    """What an invocation needs of the session."""

    @property
    def call(self) -> Caller: ...


class InvocationError(Exception):
    """The daemon does not do, or has not finished, what the plugin asked for; the text says why, and what to do.

    `code` is of a fixed set: denied, unconfigured, missing, quota, invalid, busy, timeout, cancelled, stopping, failed.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Invocation:
    """A part of the session; plugins may also make one by hand: `ChatAppInvocation(self.session)`."""

    error: type[InvocationError] = InvocationError

    def __init__(self, session: CallingSession) -> None:
        self._session = session

    def items(self, kind: str, arguments: Mapping[str, object], body: bytes = b"") -> Iterator[Any]:
        """What the daemon replies, one after the other. Nothing is asked before the first is wanted; closing the
        iterator tells the daemon that no more is. Raises `InvocationError`."""
        replies = self._session.call(kind, plain(arguments), body)
        try:
            yield from replies
        except Exception as error:
            code = getattr(error, "code", None)
            if not isinstance(code, str):
                raise
            raise self.error(code, str(error)) from None

    def only(self, kind: str, arguments: Mapping[str, object], body: bytes = b"") -> Any:  # noqa: ANN401 - of the kind
        """The one item of a reply."""
        found = list(self.items(kind, arguments, body))
        if len(found) != 1:
            raise self.error("failed", f"the call of {kind!r} has {len(found)} replies in the place of one")
        return found[0]
