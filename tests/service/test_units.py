"""The units: what systemd makes of them, without one that runs."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from endpointd.service.units import Values, first_config, service_files
from endpointd.settings.settings import Settings

VALUES = Values(("/bin/true",), ("127.0.0.1:8080",), 60)

needs_analyze = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="NOT TESTED: what systemd makes of the units; there is none here"
)


@pytest.fixture
def units(tmp_path: Path) -> list[Path]:
    for file in service_files(VALUES):
        (tmp_path / Path(file.path).name).write_text(file.text)
    return sorted(tmp_path.glob("*.s*"))


@needs_analyze
def test_systemd_finds_no_fault(units: list[Path]) -> None:
    command = ["systemd-analyze", "verify", *map(str, units)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@needs_analyze
def test_the_exposure_is_small(units: list[Path]) -> None:
    security = ["systemd-analyze", "security", "--no-pager", "--offline=true", str(units[0])]
    said = subprocess.run(security, capture_output=True, text=True, check=True).stdout
    found = re.search(r"Overall exposure level for endpointd\.service: ([0-9.]+)", said)
    assert found
    assert float(found[1]) <= 3.0, said


def test_the_first_configuration_can_be_used() -> None:
    values = tomllib.loads(first_config(VALUES))
    settings = Settings(**values)
    assert (settings.listen, settings.state) == (("127.0.0.1:8080",), Path("/var/lib/endpointd"))


def test_an_address_that_is_not_there_yet_can_be_listened_on() -> None:
    socket = next(file.text for file in service_files(VALUES) if file.path.endswith(".socket"))
    assert "\nFreeBind=yes\n" in socket


def test_what_it_suggests_can_be_used_too() -> None:
    text = re.sub(r"^# (?=[a-z_]+ = |\[plugin)", "", first_config(VALUES), flags=re.MULTILINE)
    assert Settings(**tomllib.loads(text)).public_url == "https://hooks.example.com"


def test_a_path_with_what_systemd_reads_otherwise() -> None:
    service = service_files(Values(("/opt/my 100% $HOME/endpointd",), ("[::1]:1",), 60))[-1]
    assert 'ExecStart="/opt/my 100%% $$HOME/endpointd" serve --config' in service.text


def test_the_manager_listens_on_every_address() -> None:
    several = Values(("/bin/true",), ("127.0.0.1:1", "[::1]:1", "unix:/run/endpointd/http.sock"), 60)
    socket = next(file.text for file in service_files(several) if file.path.endswith(".socket"))
    streams = [line.partition("=")[2] for line in socket.splitlines() if line.startswith("ListenStream=")]
    assert streams == ["127.0.0.1:1", "[::1]:1", "/run/endpointd/http.sock"]
    assert tomllib.loads(first_config(several))["listen"] == list(several.listen)


@pytest.mark.parametrize(
    ("listen", "is_apart"),
    [
        (("0.0.0.0:1", "[::]:1", "unix:/run/endpointd/http.sock"), True),
        (("[::]:1",), False),
        (("0.0.0.0:1", "[::]:2"), False),
    ],
)
def test_the_manager_keeps_the_families_of_one_port_apart(listen: tuple[str, ...], is_apart: bool) -> None:
    files = service_files(Values(("/bin/true",), listen, 60))
    socket = next(file.text for file in files if file.path.endswith(".socket"))
    assert ("\nBindIPv6Only=ipv6-only\n" in socket) == is_apart
