"""Puts one server under load with wrk."""

import json
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path

from errors import BenchError

SCRIPT = Path(__file__).with_name("wrk_report.lua")


@dataclass(frozen=True, slots=True)
class LoadRun:
    """One run of wrk: answers per second, latencies in microseconds, and what went wrong, by kind."""

    rate: float
    p50_us: int
    p99_us: int
    errors: dict[str, int]

    @property
    def failures(self) -> int:
        """Return the number of requests without a good answer: socket errors and statuses of 400 and above."""
        return sum(self.errors.values())

    def as_dict(self) -> dict[str, object]:
        """Return the figures for JSON."""
        return asdict(self)


def put_under_load(wrk: str, url: str, connections: int, seconds: int) -> LoadRun:
    """Ask for ``url`` over ``connections`` connections for ``seconds``; raise BenchError if wrk itself fails."""
    # One thread: on a small machine a second one would compete with the server for a core.
    command = [wrk, "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", str(SCRIPT), url]
    result = subprocess.run(command, check=False, capture_output=True, text=True)
    if result.returncode:
        raise BenchError(f"wrk failed: {result.stderr.strip() or result.stdout.strip()}")
    return parse_report(result.stdout)


def parse_report(output: str) -> LoadRun:
    """Read the JSON line that ends wrk's output."""
    report = json.loads(output.splitlines()[-1])
    rate = report["requests"] / (report["microseconds"] / 1e6)
    return LoadRun(rate, report["p50_us"], report["p99_us"], report["errors"])
