"""A machine that systemd has booted: a container over an overlay of this machine's root, of which nothing is changed.

It has a network of its own with nothing but itself in it, and none of this machine's services.
"""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from support.eventually import eventually

INIT = Path("/lib/systemd/systemd")
PACKAGES = "/opt/endpointd-packages"
"""Where the machine finds the packages that the tests run with."""

_REBOOTS = 133
"""The exit status of systemd-nspawn that asks whoever has started it to do so again."""

_BOOT_SECONDS = 60.0
_STOP_SECONDS = 30.0


def interpreter() -> str | None:
    """An interpreter of the tests' own version that every user of this machine may run."""
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for place in (Path(sys.base_prefix) / "bin" / name, Path("/usr/bin") / name, Path("/usr/local/bin") / name):
        if place.exists() and not place.resolve().is_relative_to("/root") and not place.is_relative_to("/home"):
            return str(place)
    return None


def why_not() -> str | None:
    """Why no machine can be booted here; None when one can."""
    if os.geteuid() != 0:
        return "only root can boot a container"
    if shutil.which("systemd-nspawn") is None:
        return "systemd-nspawn is missing (Debian: apt-get install systemd-container)"
    if not INIT.exists():
        return "systemd is missing"
    if interpreter() is None:
        return f"there is no Python {sys.version_info.major}.{sys.version_info.minor} outside of home directories"
    return None


class CannotBoot(Exception):
    """The system that this runs on does not let containers be booted."""


class Machine:
    """`boot`, then `run`; `end` in any case."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.root = folder / "root"
        """Its root directory, to read and to write in."""
        self._process: subprocess.Popen[bytes] | None = None
        for name in ("upper", "work", "root", "memory"):
            (folder / name).mkdir()

    def boot(self, binds: Mapping[Path, str], hidden: Path) -> None:
        """Mount and start it; returns when all has started. `binds` are folders of this machine and what they are
        called there, `hidden` one that is empty there. Raises `CannotBoot`."""
        # The upper layer of an overlay cannot be an overlay itself, as /tmp is in a container.
        _run("mount", "-t", "tmpfs", "-o", "size=2g", "endpointd-test", str(self._folder / "memory"))
        for name in ("upper", "work"):
            (self._folder / "memory" / name).mkdir()
        layers = f"lowerdir=/,upperdir={self._folder}/memory/upper,workdir={self._folder}/memory/work"
        _run("mount", "-t", "overlay", "-o", layers, "endpointd-test", str(self.root))
        self._quieten()
        self._command = [
            "systemd-nspawn",
            "--quiet",
            f"--directory={self.root}",
            "--boot",
            "--register=no",
            "--keep-unit",
        ]
        self._command += ["--private-network", "--machine=endpointd-test", "--link-journal=no", "--tmpfs=/tmp"]
        self._command += [f"--tmpfs={hidden}", *(f"--bind-ro={here}:{there}" for here, there in binds.items())]
        self._start()

    def reboot(self) -> None:
        assert self._process is not None
        self.run("systemctl", "--no-block", "reboot")
        assert self._process.wait(_STOP_SECONDS) == _REBOOTS
        self._start()

    def _start(self) -> None:
        with (self._folder / "console").open("wb") as console:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                env=os.environ | {"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"},
            )
        eventually(lambda: self.leader != 0, _BOOT_SECONDS)
        eventually(lambda: self._state() in ("running", "degraded"), _BOOT_SECONDS)
        failed = self.run("systemctl", "list-units", "--failed", "--plain", "--no-legend").stdout
        assert not failed, failed

    @property
    def leader(self) -> int:
        """The pid, on this machine, of its first process; 0 when there is none."""
        assert self._process is not None
        if self._process.poll() is not None:
            console = (self._folder / "console").read_text(errors="replace").strip()
            raise CannotBoot(f"systemd-nspawn ended with status {self._process.returncode}: {console}")
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        return int(children[0]) if children else 0

    def run(
        self, *command: object, check: bool = True, timeout: float = 60, text: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in it, as root. AssertionError: it failed, and `check` says that it must not."""
        done = subprocess.run(
            [*self._enter("--all"), *map(str, command)],
            input=text,
            stdin=subprocess.DEVNULL if text is None else None,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            env={"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"},
        )
        if check:
            assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        return done

    def start_client(self, *command: str) -> subprocess.Popen[str]:
        """Run a command of this machine, with the network of that one."""
        return subprocess.Popen(
            [*self._enter("--net"), *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def end(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        for name in ("root", "memory"):
            subprocess.run(["umount", "--lazy", str(self._folder / name)], stderr=subprocess.DEVNULL, check=False)

    def _state(self) -> str:
        return self.run("systemctl", "is-system-running", check=False).stdout.strip()

    def _enter(self, *namespaces: str) -> Sequence[str]:
        return ["nsenter", f"--target={self.leader}", *namespaces, "--"]

    def _quieten(self) -> None:
        """This machine's services are no business of that one."""
        units = self.root / "etc" / "systemd" / "system"
        for wants in [*units.glob("*.wants"), *units.glob("*.requires")]:
            shutil.rmtree(wants)
        (self.root / "etc" / "machine-id").write_text("0123456789abcdef0123456789abcdef\n")
        for name in ("networking.service", "systemd-timesyncd.service", "systemd-udevd.service"):
            (units / name).unlink(missing_ok=True)
            (units / name).symlink_to("/dev/null")


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        raise CannotBoot(f"'{' '.join(command)}' failed: {done.stderr.strip()}")
