"""The command line: the only part of the program that prints and exits."""

import gc
import sys

from endpointd.cli.standard_streams import open_missing
from endpointd.errors import OperatorError, UsageError

__all__ = ["main"]

GC_THRESHOLD = 100_000
"""New objects after which the garbage collector looks for cycles: about as many as the imports of the largest command
create, none of which is garbage. With Python's default of 700, a tenth of a start is spent on collections."""


def main() -> None:
    """Run the command in the process's arguments, and exit: 0 success, 1 failure, 2 wrong usage."""
    open_missing()
    gc.set_threshold(GC_THRESHOLD)
    from endpointd.cli.commands import application
    from endpointd.cli.output import report_error

    try:
        application()
    except OperatorError as error:
        report_error(error)
        sys.exit(2 if isinstance(error, UsageError) else 1)
