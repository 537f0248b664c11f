"""The parts of the daemon that the administration uses. Types only."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from endpointd.access.service import TokenControl
from endpointd.admin.control import Control, EnvironmentControl, Observed
from endpointd.admin.followers import Followers
from endpointd.endpoints.secret_keys import KeyControl
from endpointd.endpoints.service import EndpointControl
from endpointd.packages.limits import DEFAULT_SIZE


@dataclass(frozen=True, slots=True)
class Console:
    """The console: pages for browsers at `paths`, with a login of their own. `build` returns its ASGI application;
    blocking, because it imports many modules."""

    build: Callable[[Followers], Any]
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Services:
    """`base_url` returns the base of the plugins' URLs; `plugins` is their directory. Parts that are None are left out
    of the API. The console is only served on the network."""

    control: Control
    base_url: Callable[[], str]
    plugins: Path
    endpoints: EndpointControl | None = None
    keys: KeyControl | None = None
    tokens: TokenControl | None = None
    environments: EnvironmentControl | None = None
    console: Console | None = None
    observed: Observed | None = None
    limit_package: Callable[[], int] = lambda: DEFAULT_SIZE
    """Returns the largest size of a package, in bytes."""
