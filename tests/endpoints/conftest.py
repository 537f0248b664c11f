from collections.abc import Iterator
from pathlib import Path

import pytest

from endpointd.manifest.model import Plugin
from support import teller


@pytest.fixture(scope="session")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Plugin:
    return teller.write(tmp_path_factory.mktemp("teller"))


@pytest.fixture
def office(tmp_path: Path) -> Iterator[teller.Office]:
    with teller.office(tmp_path) as made:
        yield made
