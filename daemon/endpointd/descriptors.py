"""How many files, and so connections, this process may have open."""

import contextlib
import resource


def raise_limit() -> None:
    """Take all that the system allows. What is given without being asked for (1,024 mostly) is for programs that use
    `select`, and is too little for thousands of clients. Workers inherit it, unless `limit_files` says otherwise."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        # Some systems allow less than they say.
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
