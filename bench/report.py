"""The figures as text: one table for each question, endpointd's ratio to each server in its last column."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby

from figures import Run, Spread, failures_of, rate_of, ratio
from floors import floors_of
from results import RequestRuns, Results, StreamRuns
from servers import ENDPOINTD, FOR_REQUESTS


def report(results: Results) -> str:
    """Return the whole report."""
    blocks = [
        [facts("Machine", results.machine), facts("Versions", results.versions)],
        ["Servers", *(f"  {server.name}: {server.settings}" for server in FOR_REQUESTS)],
        *request_tables(results.requests),
        *stream_tables(results.streams),
        ["Floors", *(f"  {line}" for line in (*verdicts(results), *problems(results.streams)))],
    ]
    return "\n\n".join("\n".join(block) for block in blocks)


def verdicts(results: Results) -> list[str]:
    """Return a line for each floor."""
    return [str(floor) for floor in floors_of(results)] or ["not judged: that takes endpointd and a peer"]


def facts(subject: str, values: Mapping[str, object]) -> str:
    """Return named values on one line."""
    return f"{subject}: " + ", ".join(f"{name} {value}" for name, value in values.items())


def request_tables(runs: RequestRuns) -> Iterator[list[str]]:
    """Yield a table, as lines, for each number of connections."""
    by_connections = sorted(runs, key=lambda key: key[1])
    for connections, keys in groupby(by_connections, key=lambda key: key[1]):
        ours = runs.get((ENDPOINTD.name, connections), [])
        rows = [["", "low", "median", "high", "p50 ms", "p99 ms", "failures", "endpointd is"]]
        for name, _ in keys:
            theirs = runs[name, connections]
            latencies = [milliseconds(run.p50_us for run in theirs), milliseconds(run.p99_us for run in theirs)]
            rows.append([name, *rate_cells(theirs), *latencies, *verdict_cells(ours, theirs)])
        yield [f"Requests a second, duck, connections: {connections}", *table(rows)]


def stream_tables(runs: StreamRuns) -> Iterator[list[str]]:
    """Yield a table, as lines, for each direction."""
    directions = dict.fromkeys(direction for _, direction in runs)
    for direction in directions:
        ours = runs.get((ENDPOINTD.name, direction), [])
        rows = [["", "low", "median", "high", "failures", "endpointd is"]]
        for name, its_direction in runs:
            if its_direction == direction:
                theirs = runs[name, direction]
                rows.append([name, *rate_cells(theirs), *verdict_cells(ours, theirs)])
        yield [f"Megabytes a second, one stream {direction}, 64 KiB at a time", *table(rows)]


def problems(runs: StreamRuns) -> Iterator[str]:
    """Yield a line for each transfer that went wrong."""
    for (name, direction), transfers in runs.items():
        for transfer in transfers:
            if transfer.problem:
                yield f"{name}, stream {direction}: {transfer.problem}"


def rate_cells(runs: Sequence[Run]) -> list[str]:
    """Return the cells low, median and high."""
    spread = rate_of(runs)
    return [f"{figure:,.0f}" for figure in (spread.low, spread.middle, spread.high)]


def verdict_cells(ours: Sequence[Run], theirs: Sequence[Run]) -> list[str]:
    """Return the cells for failures and for endpointd's ratio to this server."""
    failures = failures_of(theirs)
    failed = f"FAILED: {failures:,}" if failures else "0"
    if not ours or ours is theirs:
        return [failed, ""]
    return [failed, f"{ratio(ours, theirs):.2f}x"]


def milliseconds(microseconds: Iterable[int]) -> str:
    """Return the median over rounds."""
    return f"{Spread.over(microseconds).middle / 1000:.2f}"


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows as lines: the first column to the left, the others to the right."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return [line(row, widths) for row in rows]


def line(row: Sequence[str], widths: Sequence[int]) -> str:
    """Return one row of a table."""
    first, *others = zip(row, widths, strict=True)
    cells = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]
    return "  " + "  ".join(cells).rstrip()
