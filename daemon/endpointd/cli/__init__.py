"""The command line: the only part of the program that prints and exits."""

import gc
import sys

from endpointd.cli.standard_streams import open_missing
from endpointd.errors import OperatorError, UsageError

__all__ = ["main"]

GC_THRESHOLD = 100_000
"""New objects after which cycles among them are looked for: about as many as the imports of the largest command make,
all of which stay. With Python's default of 700 a tenth of a start goes into looking through them again and again."""


def main() -> None:
    """Run the command that the process's arguments name, and exit: 0 done, 1 failed, 2 wrongly asked."""
    open_missing()
    gc.set_threshold(GC_THRESHOLD)
    from endpointd.cli.commands import application
    from endpointd.cli.output import report_error

    try:
        application()
    except OperatorError as error:
        report_error(error)
        sys.exit(2 if isinstance(error, UsageError) else 1)
