"""How the command line writes: lines whole, colours only on a terminal, errors and warnings to stderr."""

import json
import sys
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from endpointd.errors import OperatorError
from endpointd.manifest.findings import one_line

# Programs that read the output want a row to stay one line, however long.
_WIDTH_WITHOUT_TERMINAL = 10_000


class _Voice:
    """What the whole command line has been told."""

    is_quiet = False


def be_quiet() -> None:
    """Print answers, warnings and errors alone from now on."""
    _Voice.is_quiet = True


def is_quiet() -> bool:
    return _Voice.is_quiet


def tell(text: str) -> None:
    """Say that something was done, on stdout; not to who wants quiet."""
    if not is_quiet():
        stdout().print(text, soft_wrap=True)


def stdout() -> Console:
    """Made for each use, so that it follows whatever stdout is at that moment."""
    width = None if sys.stdout.isatty() else _WIDTH_WITHOUT_TERMINAL
    return Console(highlight=False, markup=False, emoji=False, width=width)


def stderr() -> Console:
    """As `stdout`, for what is not the answer itself."""
    return Console(stderr=True, highlight=False, markup=False, emoji=False)


def print_json(value: object) -> None:
    """One JSON document on stdout, indented, with nothing around it."""
    stdout().print(json.dumps(value, indent=2), soft_wrap=True)


def plain_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """Columns without borders; on a terminal, cells too long for it are folded, never cut."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def report_error(error: OperatorError) -> None:
    """What happened and what to do about it, on stderr: one line for each problem."""
    for line in str(error).splitlines():
        stderr().print(Text.assemble(("endpointd: error: ", "bold red"), line), soft_wrap=True)


def report_output(line: str) -> None:
    """A line that a plugin has written, on stderr: a traceback, say."""
    stderr().print(Text(one_line(line), style="dim"), soft_wrap=True)


def report_warning(message: str) -> None:
    """Something that is probably not meant, on stderr."""
    stderr().print(Text.assemble(("endpointd: warning: ", "bold yellow"), message), soft_wrap=True)
