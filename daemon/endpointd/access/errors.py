"""The errors of checking and managing tokens. Pure.

No message contains any part of a secret, not even of a wrong one, because that may be the password of another system.
"""

from endpointd.errors import OperatorError, UsageError


class AccessRefused(OperatorError):
    """The request has no valid token: `token_missing`, `token_invalid` or `token_expired`."""


class TooManyFailures(OperatorError):
    """Too many failures came from this address. For `retry_after` seconds its tokens are not checked, so that even a
    valid one is refused."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(
            "access_limited",
            "too many wrong tokens came from this address",
            f"try again in {retry_after} seconds, with a token that 'endpointd token list' shows",
        )
        self.retry_after = retry_after


class TokenMissing(OperatorError):
    """There is no token with this id or name."""

    def __init__(self, name: str) -> None:
        super().__init__(
            "token_unknown", f"there is no token {name[:200]!r}", "'endpointd token list' shows those that there are"
        )


class TokenExists(OperatorError):
    """Another token has this name."""

    def __init__(self, name: str) -> None:
        super().__init__(
            "token_exists",
            f"there is a token {name!r} already, expired or not",
            f"choose another name, or revoke it first: endpointd token revoke {name}",
        )


class TokenInvalid(UsageError):
    """A token cannot be created with this name or duration."""


def missing() -> AccessRefused:
    return AccessRefused(
        "token_missing",
        "this needs a token",
        "send 'Authorization: Bearer TOKEN'; 'endpointd token create NAME' makes one on the daemon's machine",
    )


def invalid() -> AccessRefused:
    return AccessRefused(
        "token_invalid",
        "there is no such token",
        "see whether it is whole, and not revoked; 'endpointd token create NAME' makes another one",
    )


def expired() -> AccessRefused:
    return AccessRefused(
        "token_expired",
        "the token has expired",
        "make another one on the daemon's machine: endpointd token create NAME",
    )
