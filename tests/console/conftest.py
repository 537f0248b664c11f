"""The console of a real daemon, and a client that is signed in as browsers are."""

import re
from collections.abc import Iterator

import httpx
import pytest

from support.console import TOKEN, Console, furnish, running_console


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


class Operator:
    """Somebody who has signed in."""

    def __init__(self, client: httpx.Client) -> None:
        self.client = client
        answer = client.post("/console/sign-in", data={"token": TOKEN})
        assert answer.status_code == 303, answer.text
        self.csrf = self._find_csrf()

    def _find_csrf(self) -> str:
        found = re.search(r'name="csrf" value="([^"]+)"', self.get("/console/plugins").text)
        assert found
        return found[1]

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self.client.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def post(self, path: str, form: dict[str, str] | None = None, **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.post(path, data={"csrf": self.csrf, **(form or {})}, headers=named)


@pytest.fixture
def operator(stranger: httpx.Client) -> Operator:
    return Operator(stranger)
