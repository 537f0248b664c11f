"""What the administration is given of the daemon. Its types alone."""

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
    """Pages for browsers, at `paths`, with a door of their own. `build` imports them, which takes its time."""

    build: Callable[[Followers], Any]
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Services:
    """`base_url` gives what the plugins' URLs begin with; `plugins` is the directory. What is None is no part of the
    administration; the console is for the network alone."""

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
    """The bytes that a package may have."""
