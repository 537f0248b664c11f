"""What `endpointd backup` and `endpointd restore` say of the key, where it is the service's and where it is not."""

from pathlib import Path

import pytest

from endpointd.admin import location
from endpointd.cli.saving import backup, restore_backup
from endpointd.errors import OperatorError
from endpointd.service.units import KEY
from endpointd.settings.settings import Settings
from endpointd.storage import open_store


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """That of a daemon with a database and no plugins, which has no key: it is to get one from elsewhere."""
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    monkeypatch.setenv("ENDPOINTD_PLUGINS", str(plugins))
    state = tmp_path / "state"
    state.mkdir()
    open_store(Settings(state=state, plugins=plugins)).close()
    (state / "secret.key").rename(tmp_path / "secret.key")
    return state


@pytest.fixture
def service(state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same, of the service."""
    unit = tmp_path / "endpointd.service"
    unit.write_text(f"[Service]\nLoadCredential=endpointd-key:{KEY}\n")
    monkeypatch.setattr(location, "SERVICE", state)
    monkeypatch.setattr(location, "SERVICE_CONFIG", tmp_path / "none.toml")
    monkeypatch.setattr(location, "SERVICE_UNIT", unit)
    return state


def test_the_services_key_is_named_where_it_is(
    service: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    backup(tmp_path / "backup", service, None, with_key=False)
    assert f"Keep a copy of {KEY} elsewhere" in capsys.readouterr().out
    restore_backup(tmp_path / "backup", service, None, replace=True)
    said = capsys.readouterr()
    assert (f"Whether {KEY} opens the secrets" in said.out, said.err) == (True, "")
    assert not (service / "secret.key").exists()


def test_a_key_is_not_put_where_the_service_does_not_look(
    service: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("ENDPOINTD_SECRET_KEY", str(tmp_path / "secret.key"))
        backup(tmp_path / "backup", service, None, with_key=True)
    with pytest.raises(OperatorError) as refused:
        restore_backup(tmp_path / "backup", service, None, replace=True)
    assert (refused.value.code, KEY in refused.value.message) == ("secret_key_fixed", True)
    with monkeypatch.context() as patch:
        patch.setenv("ENDPOINTD_SECRET_KEY", str(tmp_path / "restored.key"))
        restore_backup(tmp_path / "backup", service, None, replace=True)
    assert (tmp_path / "restored.key").read_bytes() == (tmp_path / "secret.key").read_bytes()


@pytest.mark.parametrize("other", ["no unit", "another state", "a unit without the credential"])
def test_other_daemons_have_it_in_their_state(
    other: str, service: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if other == "no unit":
        (tmp_path / "endpointd.service").unlink()
    elif other == "another state":
        monkeypatch.setattr(location, "SERVICE", tmp_path / "elsewhere")
    else:
        (tmp_path / "endpointd.service").write_text("[Service]\n")
    backup(tmp_path / "backup", service, None, with_key=False)
    assert f"Keep a copy of {service / 'secret.key'} elsewhere" in capsys.readouterr().out
