"""`endpointd doctor`: checks whether this machine or the configuration keep the daemon from working, and what to do."""

import os
import resource
import shutil
import sys
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

from uv import find_uv_bin

from endpointd.admin.client import Client
from endpointd.cli.kernel_checks import clock, kernel
from endpointd.cli.tls_check import tls
from endpointd.cli.verdicts import Check, Verdict
from endpointd.environments.finding import Finder
from endpointd.errors import OperatorError
from endpointd.gateway.server import bind
from endpointd.humane import size
from endpointd.settings.settings import Settings
from endpointd.sockets.addresses import UNIX, split_listen
from endpointd.supervisor.delegation import find as find_division

SCARCE, LITTLE = 100 * 1024**2, 1024**3
"""Free bytes below which environments cannot be built, and below which a build may fail."""

WATCHES = 8192
"""The number of folders that the kernel should let one user watch (inotify)."""


def examine(settings: Settings) -> Iterator[Check]:
    """Yields the result of each check. No check changes anything."""
    running = yield from _daemon(settings)
    checks: list[Callable[[Settings], Check]] = [_state, _disk, _uv, _interpreters, _files]
    if not running:
        yield from _addresses(settings)
        # A running daemon has reported its plugins, and may use another directory than these settings say.
        checks.insert(0, _plugins)
    for check in checks:
        yield check(settings)
    yield from tls(settings)
    yield from (_watches(), _groups(), kernel(), clock())


def _daemon(settings: Settings) -> Generator[Check, None, bool]:
    """Checks the running daemon. The generator returns whether one runs."""
    try:
        with Client(settings.state) as client:
            document = client.daemon()
    except OperatorError as error:
        is_absent = error.code == "daemon_absent"
        yield Check("daemon", "ok" if is_absent else "failed", error.message, "" if is_absent else error.remedy or "")
        return not is_absent
    bad = document["plugins"].keys() & {"FATAL", "BACKOFF", "REFUSED"}
    plugins = ", ".join(f"{number} {state}" for state, number in document["plugins"].items()) or "none"
    says = f"endpointd {document['version']} runs as process {document['pid']}; plugins: {plugins}"
    yield Check("daemon", "warning" if bad else "ok", says, "see 'endpointd status'" if bad else "")
    return True


def _addresses(settings: Settings) -> Iterator[Check]:
    addresses = [*settings.listen, *([settings.admin_listen] if settings.admin_listen else [])]
    for address in addresses:
        if address.startswith(UNIX):
            continue
        try:
            bind(*split_listen(address)).close()
        except OSError as error:
            remedy = "end what uses the address, or set another one"
            yield Check("address", "failed", f"{address}: {error.strerror or error}", remedy)
        else:
            yield Check("address", "ok", f"{address} is free")


def _plugins(settings: Settings) -> Check:
    if os.access(settings.plugins, os.R_OK | os.X_OK):
        return Check("plugins", "ok", f"{settings.plugins} can be read")
    return Check("plugins", "failed", f"{settings.plugins} is not there, or cannot be read", "make it, or set plugins")


def _state(settings: Settings) -> Check:
    folder = _nearest(settings.state)
    if os.access(folder, os.W_OK | os.X_OK):
        return Check("state", "ok", f"{settings.state} can be written to")
    return Check("state", "failed", f"{folder} may not be written to", "run as the daemon's user, or set state")


def _disk(settings: Settings) -> Check:
    free = shutil.disk_usage(_nearest(settings.state)).free
    verdict: Verdict = "failed" if free < SCARCE else "warning" if free < LITTLE else "ok"
    remedy = "" if verdict == "ok" else "make room: 'endpointd env prune' removes environments that nobody needs"
    return Check("disk", verdict, f"{size(free)} free for the state directory", remedy)


def _nearest(folder: Path) -> Path:
    """The folder, or its nearest parent that exists."""
    folder = folder.absolute()
    return next(one for one in (folder, *folder.parents) if one.exists())


def _uv(_: Settings) -> Check:
    try:
        return Check("uv", "ok", f"uv is {find_uv_bin()}")
    except FileNotFoundError:
        return Check("uv", "failed", "uv is not there", "install endpointd anew, with its dependencies")


def _interpreters(settings: Settings) -> Check:
    found = Finder().find(settings.python_interpreters, os.environ)
    own = ".".join(map(str, sys.version_info[:3]))
    return Check("interpreters", "ok", f"plugins can have {len(found)}; the daemon's own is Python {own}")


def _files(settings: Settings) -> Check:
    # The daemon raises its soft limit to the hard one.
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if most == resource.RLIM_INFINITY or most > settings.limit_connections:
        return Check("open files", "ok", f"a process may have {most} open")
    says = f"a process may have {most} open, and limit_connections is {settings.limit_connections}"
    return Check("open files", "warning", says, "raise it (ulimit -Hn, LimitNOFILE=), or lower limit_connections")


def _watches() -> Check:
    try:
        most = int(Path("/proc/sys/fs/inotify/max_user_watches").read_text())
    except (OSError, ValueError):
        return Check("inotify", "warning", "this system does not tell its limits", "set watch to poll if need be")
    if most >= WATCHES:
        return Check("inotify", "ok", f"{most} folders can be watched")
    return Check("inotify", "warning", f"only {most} folders can be watched", "raise fs.inotify.max_user_watches")


def _groups() -> Check:
    found = find_division()
    if isinstance(found, str):
        return Check("control groups", "warning", found, "run it as a service with Delegate=yes to bound whole workers")
    return Check("control groups", "ok", f"workers can have their own below {found.base}")
