"""What the administration needs of the tokens. Its types alone; `tokens.py` is the implementation. Pure."""

from collections.abc import Sequence
from typing import Protocol

from endpointd.access.views import TokenView


class TokenControl(Protocol):
    """What changes something returns when it is stored and in effect, and raises `OperatorError` when nothing was
    changed."""

    async def create(self, name: str, *, days: int | None = None) -> tuple[TokenView, str]:
        """The token and its secret, which nobody can tell again. Without `days` it is good until it is revoked.

        Raises `TokenExists`, or `TokenInvalid`.
        """

    def list(self) -> Sequence[TokenView]:
        """The oldest first, also those that have expired."""

    async def revoke(self, token_id: str) -> None:
        """From now on it is no token. Raises `TokenMissing`."""

    def is_good(self, token_id: str) -> bool:
        """Whether it is still a token: neither revoked nor expired."""

    def check(self, secret: str, client: str) -> TokenView:
        """The token that the secret is of. `client` is the address of who shows it, and counts its failures.

        Raises `AccessRefused` (to be answered with 401), or `TooManyFailures` (429, and when to come again).
        """
