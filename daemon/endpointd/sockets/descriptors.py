"""The limit of open files, and so of connections, of this process; and a check whether it is reached."""

import contextlib
import errno
import os
import resource

import structlog

log = structlog.get_logger()


def raise_limit() -> None:
    """Raise the soft limit to the hard limit. The usual soft limit of 1,024 is meant for programs that use `select`,
    and is too low for thousands of clients. Workers inherit the limit, unless `limit_files` says otherwise."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        # Some systems allow less than the hard limit that they report.
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def for_clients(wanted: int) -> int:
    """The number of client connections to allow: at most `wanted`, and at most three quarters of the descriptors. The
    daemon needs the others itself: without a free one it cannot start workers, read files, or even accept a connection
    to refuse it."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return wanted if most == resource.RLIM_INFINITY else min(wanted, most * 3 // 4)


class Exhaustion:
    """Logs an error when no descriptor is left, once each time that happens. The event loop itself does not report
    that it cannot accept connections then."""

    def __init__(self) -> None:
        self._is_told = False

    def look(self) -> None:
        """Check now. To be called about once a second."""
        is_exhausted = _is_none_left()
        if is_exhausted and not self._is_told:
            most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
            remedy = "raise it (ulimit -Hn, LimitNOFILE=), or lower limit_connections"
            log.error("descriptors.exhausted", most=most, remedy=remedy)
        self._is_told = is_exhausted


def _is_none_left() -> bool:
    try:
        os.close(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
    except OSError as error:
        return error.errno in (errno.EMFILE, errno.ENFILE)
    return False
