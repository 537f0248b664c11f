"""What the console needs of the daemon. Types alone."""

from collections.abc import Callable
from dataclasses import dataclass

from endpointd.access.service import TokenControl
from endpointd.admin.control import Control
from endpointd.console.samples import Samples
from endpointd.endpoints.service import EndpointControl


@dataclass(frozen=True, slots=True)
class Parts:
    """`base` gives what the plugins' URLs begin with, `gateway` the address at which the daemon itself listens for
    requests to plugins."""

    control: Control
    endpoints: EndpointControl
    tokens: TokenControl
    samples: Samples
    base: Callable[[], str]
    gateway: Callable[[], str]
    version: str
