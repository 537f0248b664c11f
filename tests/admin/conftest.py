"""The real admin server before plugins that are fakes, and a client that speaks plain HTTP to it."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from support.fake_control import BROKEN, NEKO, REFUSED, AdminHost, FakeControl


@pytest.fixture
def control() -> FakeControl:
    return FakeControl(NEKO, BROKEN, REFUSED)


@pytest.fixture
def host(tmp_path: Path, control: FakeControl) -> Iterator[AdminHost]:
    with AdminHost(tmp_path, control) as host:
        yield host


@pytest.fixture
def http(host: AdminHost) -> Iterator[httpx.Client]:
    transport = httpx.HTTPTransport(uds=str(host.state / "endpointd.sock"))
    with httpx.Client(transport=transport, base_url="http://endpointd", timeout=10) as client:
        yield client
