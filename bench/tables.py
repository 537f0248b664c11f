"""Creates the rows of a question's table, and formats rows as text or Markdown."""

from collections.abc import Sequence

from figures import exact
from questions import Kind, Question
from results import Results
from servers import ENDPOINTD

Rows = list[list[str]]


def rows_of(question: Question, results: Results) -> Rows:
    """Return a heading and a row for each subject: the first metric's spread, the others' medians, failures, ratio.

    Returns an empty list if there is no sample.
    """
    subjects = results.subjects(question.name)
    if not subjects:
        return []
    first, *others = question.metrics
    heading = [question.of, f"{first.heading}: low", "median", "high", *(metric.heading for metric in others)]
    heading.append("failures")
    compared = question.kind is Kind.SERVERS and ENDPOINTD.name in subjects
    rows = [heading + ["endpointd is"] * compared]
    for subject in subjects:
        row = [subject, *spread_cells(question, results, subject)]
        row += [cell(results.middle(question.name, subject, metric.name)) for metric in others]
        failures = results.failures(question.name, subject)
        row.append(f"FAILED: {failures:,}" if failures else "0")
        rows.append(row + [ratio(question, results, subject)] * compared)
    return rows


def spread_cells(question: Question, results: Results, subject: str) -> list[str]:
    """Return the cells low, median and high."""
    spread = results.spread(question.name, subject, question.metrics[0].name)
    if spread is None:
        return ["-", "-", "-"]
    return [exact(figure) for figure in (spread.low, spread.middle, spread.high)]


def ratio(question: Question, results: Results, subject: str) -> str:
    """Return endpointd's median as a multiple of the subject's."""
    name = question.metrics[0].name
    ours, theirs = results.middle(question.name, ENDPOINTD.name, name), results.middle(question.name, subject, name)
    if subject == ENDPOINTD.name or ours is None or not theirs:
        return ""
    return f"{ours / theirs:.2f}x"


def cell(value: float | None) -> str:
    """Return a figure, or a dash."""
    return "-" if value is None else exact(value)


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows as lines of text, with the first column left-aligned and the others right-aligned."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        first, *others = zip(row, widths, strict=True)
        cells = [first[0].ljust(first[1]), *(text.rjust(width) for text, width in others)]
        lines.append("  " + "  ".join(cells).rstrip())
    return lines


def markdown(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows as the lines of a table in Markdown."""
    heading, *others = rows
    ruled = ["---", *["---:"] * (len(heading) - 1)]
    return ["| " + " | ".join(row) + " |" for row in (heading, ruled, *others)]
