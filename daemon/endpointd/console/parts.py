"""What the console needs of the daemon. Types alone."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from endpointd.access.service import TokenControl
from endpointd.admin.control import Control
from endpointd.console.samples import Samples
from endpointd.endpoints.service import EndpointControl


@dataclass(frozen=True, slots=True)
class Parts:
    """`base` gives what the plugins' URLs begin with, `gateway` the address at which the daemon itself listens for
    requests to plugins. What is uploaded waits in `uploads`; `limit_package` gives how many bytes it may have."""

    control: Control
    endpoints: EndpointControl
    tokens: TokenControl
    samples: Samples
    base: Callable[[], str]
    gateway: Callable[[], str]
    uploads: Path
    limit_package: Callable[[], int]
    version: str
