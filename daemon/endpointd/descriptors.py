"""How many files, and so connections, this process may have open, and whether there are any left."""

import contextlib
import errno
import os
import resource

import structlog

log = structlog.get_logger()


def raise_limit() -> None:
    """Take all that the system allows. What is given without being asked for (1,024 mostly) is for programs that use
    `select`, and is too little for thousands of clients. Workers inherit it, unless `limit_files` says otherwise."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        # Some systems allow less than they say.
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def for_clients(wanted: int) -> int:
    """How many of the `wanted` connections there may be: a quarter of all descriptors is for what the daemon needs
    itself. Without one, workers cannot be started, files not be read, and who is turned away is not even told."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return wanted if most == resource.RLIM_INFINITY else min(wanted, most * 3 // 4)


class Exhaustion:
    """Tells when there are none left, once each time: the loop says nothing of clients that it turns away then."""

    def __init__(self) -> None:
        self._is_told = False

    def look(self) -> None:
        """Called about once a second."""
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
