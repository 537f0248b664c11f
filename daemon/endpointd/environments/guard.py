"""A wrapper that is run by path and executes a program (uv). Its arguments are the base of the mark, and the command.

It gives the process the host's mark, as workers have (`supervisor/keeper.py`), so that the host can end it and all of
its descendants. It redirects stdout to stderr, and replaces fd 0, on which the host puts a wire for every process that
it starts, by /dev/null.
"""

import contextlib
import os
import resource
import sys

STAND_BACK = 10
"""The niceness of builds."""


def main() -> None:
    nowhere = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nowhere, 0)
    os.dup2(2, 1)
    mark = int(sys.argv[1]) + os.getpid()
    # If RLIMIT_RTTIME is already limited, the mark cannot be set. The process group can still be killed.
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_RTTIME, (mark, mark))
    os.umask(0o022)
    # Answering requests is more urgent than building.
    os.nice(STAND_BACK)
    os.execv(sys.argv[2], sys.argv[2:])


if __name__ == "__main__":
    main()
