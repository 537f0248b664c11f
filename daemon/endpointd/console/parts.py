"""What the console needs of the daemon. Types alone."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from endpointd.admin.control import Control
from endpointd.admin.followers import Followers
from endpointd.console.samples import Samples
from endpointd.endpoints.service import EndpointControl


class Holder(Protocol):
    """Whose token it is."""

    @property
    def name(self) -> str: ...


class Tokens(Protocol):
    """Raises `OperatorError` when the secret is no token, or somebody at `client` has tried too often."""

    async def check(self, secret: str, client: str) -> Holder: ...


@dataclass(frozen=True, slots=True)
class Parts:
    """`base` gives what the plugins' URLs begin with, `gateway` the address at which the daemon itself listens for
    requests to plugins; `followers` are those that are to end with the daemon."""

    control: Control
    endpoints: EndpointControl
    tokens: Tokens
    samples: Samples
    followers: Followers
    base: Callable[[], str]
    gateway: Callable[[], str]
    version: str
