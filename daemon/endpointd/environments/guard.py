"""Becomes the program that is given, under the host's guard: run by path, with a mark's base and a command line.

What the program starts bears the host's mark as workers do (`supervisor/keeper.py`), so that it ends with the host and
leaves nothing behind; what it prints goes where its errors go; and the wire that the host gives to every process that
it starts is not for it.
"""

import contextlib
import os
import resource
import sys

STAND_BACK = 10
"""How much builds stand back for others who want the processor."""


def main() -> None:
    nowhere = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nowhere, 0)
    os.dup2(2, 1)
    mark = int(sys.argv[1]) + os.getpid()
    # Where the time of real-time processes is limited already, there is no mark; the group remains.
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_RTTIME, (mark, mark))
    os.umask(0o022)
    # Requests are more urgent.
    os.nice(STAND_BACK)
    os.execv(sys.argv[2], sys.argv[2:])


if __name__ == "__main__":
    main()
