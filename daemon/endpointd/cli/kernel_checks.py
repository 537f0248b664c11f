"""`endpointd doctor`: checks the system calls that the daemon needs, which some kernels and sandboxes lack, and the
clock."""

import ctypes
import os
import signal
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

from endpointd.cli.verdicts import Check
from endpointd.supervisor.prctl import gain_no_privileges

OLDEST_TIME = datetime(2025, 1, 1, tzinfo=UTC).timestamp()
"""A clock with an earlier time is not set; no certificate is valid then."""

UNSYNCHRONIZED = 0x40
"""STA_UNSYNC of adjtimex(2)."""


class _Timex(ctypes.Structure):
    """The beginning of C's `struct timex`, padded to at least its size."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 256),
    )


def kernel() -> Check:
    """Try each system call where it does no harm: in this process, or in a thread that ends."""
    tried: dict[str, Callable[[], None]] = {
        "pidfd_open and pidfd_send_signal (Linux 5.3)": _watch_a_process,
        "prctl PR_SET_NO_NEW_PRIVS": _in_a_thread(gain_no_privileges),
    }
    missing = [f"{name}: {reason}" for name, act in tried.items() if (reason := _failure(act))]
    release = os.uname().release
    if missing:
        remedy = "use a newer kernel, or let the sandbox around the daemon (a container's seccomp profile) allow it"
        return Check("kernel", "failed", f"Linux {release} does not let us have {'; '.join(missing)}", remedy)
    return Check("kernel", "ok", f"Linux {release} watches processes, and keeps plugins from more rights")


def clock() -> Check:
    """Check whether the clock is plausible and synchronized."""
    now = time.time()
    says = f"it is {datetime.fromtimestamp(now, UTC):%Y-%m-%d %H:%M} UTC"
    if now < OLDEST_TIME:
        return Check("time", "failed", says, "set the system's clock")
    kept = synchronized()
    if kept is None:
        return Check("time", "ok", f"{says}; the system does not tell whether the clock is kept right")
    if kept:
        return Check("time", "ok", f"{says}, and the clock is kept right")
    remedy = "have it kept by systemd-timesyncd or chrony ('timedatectl set-ntp true'), or by the host of a container"
    return Check("time", "warning", f"{says}, and nothing keeps the clock right", remedy)


def synchronized() -> bool | None:
    """Whether the kernel says that its clock is synchronized; None if that cannot be told."""
    found = _Timex()
    if ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(found)) < 0:
        return None
    return not found.status & UNSYNCHRONIZED


def _watch_a_process() -> None:
    process = os.pidfd_open(os.getpid())
    try:
        signal.pidfd_send_signal(process, 0)
    finally:
        os.close(process)


def _in_a_thread(act: Callable[[], None]) -> Callable[[], None]:
    """Run a check that changes an attribute of its thread; the attribute ends with the thread."""

    def run() -> None:
        failed: list[OSError] = []

        def guarded() -> None:
            try:
                act()
            except OSError as error:
                failed.append(error)

        thread = threading.Thread(target=guarded)
        thread.start()
        thread.join()
        if failed:
            raise failed[0]

    return run


def _failure(act: Callable[[], None]) -> str:
    try:
        act()
    except OSError as error:
        return error.strerror or str(error)
    return ""
