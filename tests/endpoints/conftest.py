"""An office that makes endpoints, and what is asked of it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from endpointd.endpoints.declared import Declared
from endpointd.endpoints.errors import EndpointInvalid
from endpointd.manifest.model import Plugin
from endpointd.manifest.values import Fault
from endpointd_wire.frames import unpack_value
from support import teller
from support.teller import SECRET, TELLER, Office


@pytest.fixture(scope="session")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Plugin:
    return teller.write(tmp_path_factory.mktemp("teller"))


@pytest.fixture
def office(tmp_path: Path) -> Iterator[teller.Office]:
    with teller.office(tmp_path) as made:
        yield made


@contextmanager
def refused(*keys: str) -> Iterator[list[Fault]]:
    """Exactly these are at fault, in this order; nothing says the secret."""
    found: list[Fault] = []
    with pytest.raises(EndpointInvalid) as caught:
        yield found
    found.extend(caught.value.faults)
    assert [fault.key for fault in found] == list(keys)
    assert SECRET not in f"{caught.value}{caught.value!r}{caught.value.args}"


def given(office: Office, hook_id: str) -> Any:  # noqa: ANN401
    """The settings that the plugin is given at a hook id; None when nothing is mounted there."""
    plugin = office.shelf.plugin(TELLER)
    assert plugin is not None
    mounted = {one.hook_id: one for one in office.book.endpoints_of(plugin)}
    return unpack_value(mounted[hook_id].settings) if hook_id in mounted else None


def answered(office: Office, hook_id: str) -> tuple[int, str] | None:
    """What is said at a hook id where nothing is mounted."""
    record = office.book.at(hook_id)
    problem = office.book.refusal(hook_id, office.shelf.plugin(record.plugin) if record else None)
    return None if problem is None else (problem.status, problem.code)


def declared(name: str, hook_id: str | None = None, settings: Mapping[str, Any] | None = None) -> Declared:
    return Declared(TELLER, name, hook_id, settings={"token": SECRET} if settings is None else settings)
