"""What the administration is given of the daemon. Its types alone."""

from collections.abc import Callable
from dataclasses import dataclass

from endpointd.access.service import TokenControl
from endpointd.admin.control import Control, EnvironmentControl
from endpointd.endpoints.secret_keys import KeyControl
from endpointd.endpoints.service import EndpointControl


@dataclass(frozen=True, slots=True)
class Services:
    """`base_url` gives what the plugins' URLs begin with. What is None is no part of the API."""

    control: Control
    base_url: Callable[[], str]
    endpoints: EndpointControl | None = None
    keys: KeyControl | None = None
    tokens: TokenControl | None = None
    environments: EnvironmentControl | None = None
