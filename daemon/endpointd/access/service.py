"""The interface to the tokens that the administration uses; `tokens.py` implements it. Pure."""

from collections.abc import Sequence
from typing import Protocol

from endpointd.access.views import TokenView


class TokenControl(Protocol):
    """Methods that change something return when the change is stored and in effect. If they raise `OperatorError`,
    nothing was changed."""

    async def create(self, name: str, *, days: int | None = None) -> tuple[TokenView, str]:
        """Create a token; returns it and its secret, which cannot be retrieved later. Without `days` the token is valid
        until it is revoked.

        Raises `TokenExists` or `TokenInvalid`, and `OperatorError` if there are too many tokens.
        """

    def list(self) -> Sequence[TokenView]:
        """All tokens, the oldest first, including those that have expired."""

    async def revoke(self, token_id: str) -> None:
        """Delete the token. Raises `TokenMissing`."""

    def is_good(self, token_id: str) -> bool:
        """Whether the token is still valid: neither revoked nor expired."""

    def check(self, secret: str, client: str) -> TokenView:
        """The token to which the secret belongs. `client` is the address that has sent it; its failures are counted.

        Raises `AccessRefused` (to be answered with 401) or `TooManyFailures` (429 with `Retry-After`).
        """
