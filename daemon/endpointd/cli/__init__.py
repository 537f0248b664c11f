"""The command line: the only part of the program that prints and exits."""

import sys

from endpointd.cli.commands import application
from endpointd.cli.output import report_error
from endpointd.errors import OperatorError, UsageError

__all__ = ["main"]


def main() -> None:
    """Run the command that the process's arguments name, and exit: 0 done, 1 failed, 2 wrongly asked."""
    try:
        application()
    except OperatorError as error:
        report_error(error)
        sys.exit(2 if isinstance(error, UsageError) else 1)
