"""What the console needs of the daemon. Types alone."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from endpointd.admin.control import Control
from endpointd.console.samples import Samples
from endpointd.endpoints.service import EndpointControl


class Token(Protocol):
    """`expires_at` is in seconds since the epoch."""

    @property
    def id(self) -> str: ...

    @property
    def name(self) -> str: ...

    @property
    def expires_at(self) -> float | None: ...


class Tokens(Protocol):
    def check(self, secret: str, client: str) -> Token:
        """Raises `OperatorError` when it is no token's secret, or somebody at `client` has tried too often."""

    def list(self) -> Sequence[Token]:
        """All that were not revoked."""


@dataclass(frozen=True, slots=True)
class Parts:
    """`base` gives what the plugins' URLs begin with, `gateway` the address at which the daemon itself listens for
    requests to plugins."""

    control: Control
    endpoints: EndpointControl
    tokens: Tokens
    samples: Samples
    base: Callable[[], str]
    gateway: Callable[[], str]
    version: str
