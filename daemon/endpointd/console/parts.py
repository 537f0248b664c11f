"""The parts of the daemon that the console uses. Types only."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from endpointd.access.service import TokenControl
from endpointd.admin.control import Control
from endpointd.console.samples import Samples
from endpointd.endpoints.service import EndpointControl


@dataclass(frozen=True, slots=True)
class Parts:
    """`base` returns the base of the plugins' URLs, `gateway` the address at which the daemon itself listens for
    requests to plugins. `uploads` is the directory for temporary files of uploads; `limit_package` returns the largest
    size of a package, in bytes."""

    control: Control
    endpoints: EndpointControl
    tokens: TokenControl
    samples: Samples
    base: Callable[[], str]
    gateway: Callable[[], str]
    uploads: Path
    limit_package: Callable[[], int]
    version: str
