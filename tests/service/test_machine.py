"""What is done to the machine where that does not take systemd."""

import stat
from pathlib import Path

import pytest

from endpointd import __version__
from endpointd.errors import OperatorError
from endpointd.sealing.keyfile import KeyFile
from endpointd.service.machine import look, perform
from endpointd.service.plan import MakeKey
from support.fake_control import AdminHost, FakeControl


def test_the_daemon_that_runs_is_looked_for_where_the_configuration_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else an upgrade would leave the old version running where its state is elsewhere."""
    config, state = tmp_path / "endpointd.toml", tmp_path / "state"
    config.write_text(f'state = "{state}"\n')
    state.mkdir()
    monkeypatch.setattr("endpointd.admin.location.SERVICE_CONFIG", config)
    with AdminHost(state, FakeControl()):
        assert look([]).version == __version__


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
