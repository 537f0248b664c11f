"""Examines the state of this machine as far as the service is concerned, and performs the steps of a plan. Blocking."""

import errno
import grp
import os
import pwd
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from endpointd.admin.client import Client
from endpointd.admin.location import state_of_service
from endpointd.errors import EndpointdError, OperatorError
from endpointd.sealing.keyfile import KeyFile
from endpointd.service.plan import UNITS, Found, MakeKey, Remove, Run, Step, Write
from endpointd.service.units import ACCOUNT, CONFIG, CONFIG_DIRECTORY, KEY, PLUGINS, RUNTIME, STATE, ServiceFile
from endpointd.supervisor.users import Account, out_of_reach

_HIDDEN = (Path("/home"), Path("/root"), Path("/run/user"))
"""Directories that are hidden from the service by ProtectHome=."""

_COMMAND_SECONDS = 600.0

_MOST_OF_A_KEY = 1024 * 1024
"""The most bytes of a key file that are read."""


# Preconditions


def require_systemd() -> None:
    """Raise `OperatorError` if this machine does not run systemd."""
    if not Path("/run/systemd/system").is_dir() or shutil.which("systemctl") is None:
        raise OperatorError(
            "service_without_systemd",
            "systemd does not run this machine",
            "let your service manager run 'endpointd serve'; 'endpointd service show' prints what systemd would do",
        )


def require_root() -> None:
    """Raise `OperatorError` unless the process runs as root."""
    if os.geteuid() != 0:
        raise OperatorError(
            "service_not_root", "only root can install a service", "run the command with sudo, or add --dry-run"
        )


def own_command() -> tuple[str, ...]:
    """The command that starts this installation of endpointd, whatever PATH contains. It remains valid when the
    installation is upgraded in place."""
    script = Path(sys.executable).with_name("endpointd")
    return (str(script),) if script.exists() else (sys.executable, "-P", "-m", "endpointd")


def require_reach() -> None:
    """Raise `OperatorError` if the service's user could not run this installation of endpointd."""
    paths = [Path(own_command()[0]), Path(sys.executable), Path(__file__)]
    hidden = next((path for path in paths if any(path.resolve().is_relative_to(one) for one in _HIDDEN)), None)
    blocked = hidden or out_of_reach(_account(), paths)
    if blocked is not None:
        raise OperatorError(
            "service_out_of_reach",
            # Name the link's target: the link itself may be reachable, such as the Python in a virtual environment in
            # /opt that was made with a Python in a home directory.
            f"the service could not run this endpointd: its user cannot reach {blocked.resolve()}",
            "install it in a virtual environment in /opt, made with a Python that is not in a home directory",
        )


def _account() -> Account:
    try:
        entry = pwd.getpwnam(ACCOUNT)
    except KeyError:
        # The account does not exist yet, and will be none of the present users.
        return Account(ACCOUNT, -1, -1, (), STATE)
    return Account(ACCOUNT, entry.pw_uid, entry.pw_gid, (entry.pw_gid,), STATE)


# Examining


def look(files: Iterable[ServiceFile]) -> Found:
    """The state of the machine. Without root, files that cannot be read count as missing."""
    return Found(
        texts={file.path: text for file in files if (text := _text(Path(file.path))) is not None},
        has_account=_has_account(),
        has_directories=all(os.path.isdir(path) for path in (CONFIG_DIRECTORY, STATE, PLUGINS, RUNTIME)),
        has_config=os.path.lexists(CONFIG),
        has_key=os.path.lexists(KEY),
        needs_reload="yes" in properties("NeedDaemonReload"),
        is_enabled=all(state == "enabled" for state in properties("UnitFileState")),
        is_active=all(state in ("active", "reloading") for state in properties("ActiveState")),
        version=_version(),
    )


def properties(name: str) -> list[str]:
    """A property of the socket's and of the service's unit; empty texts if systemd does not report it."""
    values = []
    for unit in UNITS:
        command = ["systemctl", "show", "--property", name, "--value", unit]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_COMMAND_SECONDS, check=False)
        except FileNotFoundError:
            return ["" for _ in UNITS]
        values.append(done.stdout.strip())
    return values


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None


def _has_account() -> bool:
    try:
        pwd.getpwnam(ACCOUNT)
        grp.getgrnam(ACCOUNT)
    except KeyError:
        return False
    return True


def _version() -> str | None:
    with suppress(EndpointdError), Client(state_of_service()) as client:
        return client.version()
    return None


# Performing


def perform(step: Step) -> None:
    """Perform one step. Raises `OperatorError`. Earlier steps are not undone; a repeated installation or removal goes
    on from there."""
    try:
        match step:
            case Write():
                _write(step)
            case MakeKey():
                _make_key(step)
            case Run():
                _run(step.command)
            case Remove():
                _remove(Path(step.path))
    except OSError as error:
        raise OperatorError(
            "service_step_failed", f"could not {step}: {error.strerror or error}", "remove the cause, and try again"
        ) from error


def _write(step: Write) -> None:
    path = Path(step.path)
    path.parent.mkdir(parents=True, exist_ok=True)
    fd, new = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with open(fd, "w", encoding="utf-8") as file:
            file.write(step.text)
            if step.private:
                os.fchown(file.fileno(), 0, grp.getgrnam(ACCOUNT).gr_gid)
            os.fchmod(file.fileno(), 0o640 if step.private else 0o644)
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, path)
    except BaseException:
        Path(new).unlink(missing_ok=True)
        raise


def _make_key(step: MakeKey) -> None:
    """Create the key file. It gets the keys of an earlier daemon that ran without the credential, if there are any, so
    that the service can read what that has sealed; else a new key."""
    earlier = _read_of_the_service(step.earlier)
    if earlier is not None:
        # Readable only for root from the beginning.
        fd = os.open(step.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(fd, "wb") as file:
            file.write(earlier)
            file.flush()
            os.fsync(fd)
    KeyFile(Path(step.path)).make()


def _read_of_the_service(path: str) -> bytes | None:
    """The content of a small file in a folder that the service's user can change; None if it does not exist. Raises
    OSError, also if it is a link or not a regular file: otherwise that user could make root read files for it that it
    may not read itself."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    with open(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError(errno.EINVAL, "it is no regular file", path)
        return file.read(_MOST_OF_A_KEY)


def _run(command: Sequence[str]) -> None:
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_COMMAND_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise _failed(command, f"it did not end within {_COMMAND_SECONDS:g} s") from None
    if done.returncode:
        raise _failed(command, done.stderr.strip() or f"it ended with status {done.returncode}")


def _failed(command: Sequence[str], reason: str) -> OperatorError:
    return OperatorError(
        "service_command_failed",
        f"'{' '.join(command)}' failed: {reason}",
        "see 'systemctl status endpointd' and 'journalctl -u endpointd', and try again",
    )


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
