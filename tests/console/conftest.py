"""The console of a real daemon, and a client that is signed in as browsers are."""

from collections.abc import Iterator

import httpx
import pytest

from support.console import Console, Operator, furnish, running_console


@pytest.fixture(scope="session")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    root = tmp_path_factory.mktemp("console")
    furnish(root / "plugins")
    with running_console(root) as running:
        yield running


@pytest.fixture
def stranger(console: Console) -> Iterator[httpx.Client]:
    """Somebody who has not signed in."""
    with httpx.Client(base_url=console.url, timeout=20) as client:
        yield client


@pytest.fixture
def operator(stranger: httpx.Client, console: Console) -> Operator:
    return Operator(stranger, console.token)
