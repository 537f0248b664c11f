"""What is done to the machine where that does not take systemd."""

import stat
from pathlib import Path

import pytest

from endpointd.errors import OperatorError
from endpointd.sealing.keyfile import KeyFile
from endpointd.service.machine import perform
from endpointd.service.plan import MakeKey


@pytest.fixture
def step(tmp_path: Path) -> MakeKey:
    return MakeKey(str(tmp_path / "key"), str(tmp_path / "earlier"))


def test_a_key_is_made(step: MakeKey) -> None:
    perform(step)
    assert KeyFile(Path(step.path)).read() is not None


def test_an_earlier_key_is_taken_over(step: MakeKey) -> None:
    KeyFile(Path(step.earlier)).make()

    perform(step)

    made = Path(step.path)
    assert made.read_bytes() == Path(step.earlier).read_bytes()
    assert stat.S_IMODE(made.stat().st_mode) == 0o600


def test_root_follows_no_link_of_the_services_user(step: MakeKey, tmp_path: Path) -> None:
    """What it read would be handed to the service as its key."""
    secret = tmp_path / "secret"
    KeyFile(secret).make()
    Path(step.earlier).symlink_to(secret)

    with pytest.raises(OperatorError) as told:
        perform(step)
    assert told.value.code == "service_step_failed"
    assert not Path(step.path).exists()
