"""The base class of all parts of the session that make calls to the daemon."""

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from dify_plugin.entities.base import plain


class Caller(Protocol):
    """The function that makes a call to the daemon and yields the items of the reply. The worker gives it to every
    session."""

    def __call__(self, kind: str, arguments: Mapping[str, object], body: bytes = b"") -> Iterator[Any]: ...


class CallingSession(Protocol):
    """The part of `Session` that an invocation uses."""

    @property
    def call(self) -> Caller: ...


class InvocationError(Exception):
    """A call was refused or has failed. The text says why, and what to do.

    `code` is one of: denied, unconfigured, missing, quota, invalid, busy, timeout, cancelled, stopping, failed.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Invocation:
    """A part of the session. Plugins may also create one themselves: `ChatAppInvocation(self.session)`."""

    error: type[InvocationError] = InvocationError

    def __init__(self, session: CallingSession) -> None:
        self._session = session

    def items(self, kind: str, arguments: Mapping[str, object], body: bytes = b"") -> Iterator[Any]:
        """Make a call; yields the items of the reply. The call is made when the first item is asked for, and abandoned
        when the iterator is closed. Raises `InvocationError`."""
        replies = self._session.call(kind, plain(arguments), body)
        try:
            yield from replies
        except Exception as error:
            code = getattr(error, "code", None)
            if not isinstance(code, str):
                raise
            raise self.error(code, str(error)) from None

    def only(self, kind: str, arguments: Mapping[str, object], body: bytes = b"") -> Any:  # noqa: ANN401 - of the kind
        """Make a call whose reply is a single item, and return that. Raises `InvocationError`."""
        found = list(self.items(kind, arguments, body))
        if len(found) != 1:
            raise self.error("failed", f"the call of {kind!r} has {len(found)} replies in the place of one")
        return found[0]
