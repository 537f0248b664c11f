"""One machine with a real systemd for all tests here, and endpointd in it, installed from its wheel."""

import shutil
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest
import uv

from endpointd import __version__
from support.booted import PACKAGES, CannotBoot, Machine, interpreter, why_not
from support.own_wheel import ROOT, build_wheel

NOT_TESTED = "NOT TESTED: endpointd as a service of systemd"
HOME = "/opt/endpointd-tested"
NEWER = f"{__version__}.post1"


class Installed:
    """The machine, and what is done there with `endpointd`."""

    def __init__(self, machine: Machine, newer: Path) -> None:
        self.machine = machine
        self.run = machine.run
        self._newer = newer

    def endpointd(self, *arguments: object, check: bool = True) -> str:
        done = self.run(f"{HOME}/bin/endpointd", *arguments, check=check)
        return done.stdout + done.stderr

    def show(self, name: str, unit: str = "endpointd.service") -> str:
        return self.run("systemctl", "show", "--property", name, "--value", unit).stdout.strip()

    @property
    def pid(self) -> int:
        return int(self.show("MainPID"))

    def journal(self) -> str:
        return self.run("journalctl", "--no-pager", "--output=cat", "--unit=endpointd.service").stdout

    def upgrade(self) -> None:
        install_wheel(self.machine, self._newer)


def install_wheel(machine: Machine, wheel: Path) -> None:
    target = machine.root / "opt" / wheel.name
    target.write_bytes(wheel.read_bytes())
    machine.run(
        f"{HOME}/bin/python", "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", f"/opt/{wheel.name}"
    )


@pytest.fixture(scope="session")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    """Skips, and says so plainly, where no machine can be booted."""
    if (reason := why_not()) is not None:
        pytest.skip(f"{NOT_TESTED}, because {reason}")
    wheel = build_wheel(tmp_path_factory.mktemp("wheel"))
    newer = build_wheel(tmp_path_factory.mktemp("newer"), NEWER)
    machine = Machine(tmp_path_factory.mktemp("machine"))
    try:
        # The source tree is out of sight.
        try:
            machine.boot({Path(sysconfig.get_path("purelib")): PACKAGES}, hidden=ROOT)
        except CannotBoot as error:
            pytest.skip(f"{NOT_TESTED}, because {error}")
        machine.run(interpreter(), "-m", "venv", "--without-pip", HOME)
        (site,) = (machine.root / HOME[1:] / "lib").glob("python*/site-packages")
        # What a line names is searched, and not looked through for lines of its own such as an editable project's.
        (site / "dependencies.pth").write_text(f"{PACKAGES}\n")
        # A program, which the packages that are shared do not bring along.
        shutil.copy(uv.find_uv_bin(), site.parents[2] / "bin" / "uv")
        install_wheel(machine, wheel)
        yield Installed(machine, newer)
    finally:
        machine.end()
