"""The output of `endpointd logs`: the lines of a plugin's journal, for people or as JSON."""

import json
import sys
from collections.abc import Iterable
from datetime import datetime

from rich.text import Text

from endpointd.admin.documents import read
from endpointd.cli.output import stdout
from endpointd.logs.journal import Entry
from endpointd.manifest.findings import one_line

_STYLES = {"event": "bold", "WARNING": "yellow", "ERROR": "red", "CRITICAL": "bold red"}


def print_ndjson(lines: Iterable[str]) -> None:
    """Print each entry as a line of JSON, as soon as it comes."""
    for line in lines:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


def print_entries(lines: Iterable[str]) -> None:
    """Print each entry for people, as soon as it comes."""
    console = stdout()
    for line in lines:
        for text in _texts(read(Entry, json.loads(line))):
            console.print(text, soft_wrap=True)
        sys.stdout.flush()


def _texts(entry: Entry) -> Iterable[Text]:
    if entry.lost:
        yield Text(f"({entry.lost} lines are missing: they came faster than they could be read)", style="yellow")
    at = datetime.fromtimestamp(entry.at).astimezone()
    label = (entry.level or entry.stream).lower()
    style = _STYLES.get(entry.level or entry.stream, "")
    request = f" [{one_line(entry.request)}]" if entry.request else ""
    first, *others = entry.text.splitlines() or [""]
    head = f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03} "
    whose = f"{entry.pid} " if entry.pid is not None else ""
    yield Text.assemble(
        (head, "dim"), (f"{one_line(label):8} ", style), (whose, "dim"), one_line(first), (request, "dim")
    )
    for line in others:
        yield Text(f"  {one_line(line)}")
