"""Output of the command line: lines are not wrapped, colours only on a terminal, errors and warnings to stderr."""

import json
import sys
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from endpointd.errors import OperatorError
from endpointd.manifest.findings import one_line

# Not a terminal: rows must stay on one line, however long, for programs that read the output.
_WIDTH_WITHOUT_TERMINAL = 10_000


class _Voice:
    """Options that hold for the whole command line."""

    is_quiet = False


def be_quiet() -> None:
    """From now on print only results, warnings and errors (`--quiet`)."""
    _Voice.is_quiet = True


def is_quiet() -> bool:
    return _Voice.is_quiet


def tell(text: str) -> None:
    """Print on stdout that something was done, unless `--quiet`."""
    if not is_quiet():
        stdout().print(text, soft_wrap=True)


def stdout() -> Console:
    """A console on the current stdout. Created for each use, because stdout may be replaced."""
    width = None if sys.stdout.isatty() else _WIDTH_WITHOUT_TERMINAL
    return Console(highlight=False, markup=False, emoji=False, width=width)


def stderr() -> Console:
    """A console on the current stderr, for everything that is not the result itself."""
    return Console(stderr=True, highlight=False, markup=False, emoji=False)


def print_json(value: object) -> None:
    """Print one indented JSON document on stdout."""
    stdout().print(json.dumps(value, indent=2), soft_wrap=True)


def plain_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """A table without borders. On a terminal, cells that are too long are wrapped and never cut."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def report_error(error: OperatorError) -> None:
    """Print an error and its remedy on stderr, one line for each problem."""
    for line in str(error).splitlines():
        stderr().print(Text.assemble(("endpointd: error: ", "bold red"), line), soft_wrap=True)


def report_output(line: str) -> None:
    """Print a line of a plugin's output (of a traceback, for example) on stderr."""
    stderr().print(Text(one_line(line), style="dim"), soft_wrap=True)


def report_warning(message: str) -> None:
    """Print a warning on stderr."""
    stderr().print(Text.assemble(("endpointd: warning: ", "bold yellow"), message), soft_wrap=True)
