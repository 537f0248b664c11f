"""Why somebody is not let in, and why a token cannot be as somebody wants it. Pure.

No message has anything of a secret, not even of a wrong one: it may be another system's password.
"""

from endpointd.errors import OperatorError, UsageError


class AccessRefused(OperatorError):
    """Who asks has shown no token that is good: `token_missing`, `token_invalid` or `token_expired`."""


class TooManyFailures(OperatorError):
    """Nothing is looked at for `retry_after` seconds, not even a token that is good."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(
            "access_limited",
            "too many wrong tokens came from this address",
            f"try again in {retry_after} seconds, with a token that 'endpointd token list' shows",
        )
        self.retry_after = retry_after


class TokenMissing(OperatorError):
    """There is no token with this id, or by this name."""

    def __init__(self, name: str) -> None:
        super().__init__(
            "token_unknown", f"there is no token {name[:200]!r}", "'endpointd token list' shows those that there are"
        )


class TokenExists(OperatorError):
    """Another token has the name."""

    def __init__(self, name: str) -> None:
        super().__init__(
            "token_exists",
            f"there is a token {name!r} already, expired or not",
            f"choose another name, or revoke it first: endpointd token revoke {name}",
        )


class TokenInvalid(UsageError):
    """No token can be made like that."""


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
