"""Puts one server under load with wrk."""

import json
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from errors import BenchError
from results import Sample
from running import Site
from workloads import Workload

REPORT = Path(__file__).with_name("wrk_report.lua")


@dataclass(frozen=True, slots=True)
class LoadRun:
    """One run of wrk: answers per second, latencies in microseconds, and the number of errors of each kind."""

    rate: float
    p50_us: int
    p99_us: int
    errors: dict[str, int]

    @property
    def failures(self) -> int:
        """Return the number of requests without a good answer: socket errors and statuses of 400 and above."""
        return sum(self.errors.values())

    @property
    def problem(self) -> str | None:
        """Return the errors in words, or None."""
        return ", ".join(f"{kind} {number}" for kind, number in self.errors.items() if number) or None

    def sample(self, question: str, subject: str, **more: float) -> Sample:
        """Return the run as a sample, with further figures."""
        figures = {"rate": self.rate, "p50_ms": self.p50_us / 1000, "p99_ms": self.p99_us / 1000, **more}
        return Sample(question, subject, figures, self.failures, self.problem)


def put_under_load(wrk: str, site: Site, workload: Workload, connections: int, seconds: int) -> LoadRun:
    """Send the workload's request over ``connections`` connections for ``seconds``; raise BenchError if wrk fails."""
    return run_wrk(wrk, site.url(workload.path), script_for(workload), connections, seconds)


def put_all_under_load(wrk: str, site: Site, paths: Sequence[str], connections: int, seconds: int) -> LoadRun:
    """GET the paths of the site in turn over ``connections`` connections for ``seconds``."""
    return run_wrk(
        wrk, site.url(paths[0]), script_in_turn([site.prefix + path for path in paths]), connections, seconds
    )


def run_wrk(wrk: str, url: str, script: str, connections: int, seconds: int) -> LoadRun:
    """Run wrk once with this Lua script."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua", encoding="utf-8") as file:
        file.write(script + REPORT.read_text("utf-8"))
        file.flush()
        # One thread: on a small machine a second one would compete with the server for a core.
        command = [
            wrk,
            "-t1",
            f"-c{connections}",
            f"-d{seconds}s",
            "--timeout",
            "30s",
            "--latency",
            "-s",
            file.name,
            url,
        ]
        result = subprocess.run(command, check=False, capture_output=True, text=True)
    if result.returncode:
        raise BenchError(f"wrk failed: {result.stderr.strip() or result.stdout.strip()}")
    return parse_report(result.stdout)


def script_for(workload: Workload) -> str:
    """Return a Lua script that makes wrk send the workload's request."""
    lines = [f"wrk.method = {quoted(workload.method)}"]
    lines += [f"wrk.headers[{quoted(name)}] = {quoted(value)}" for name, value in workload.headers]
    if workload.body:
        lines.append(f"wrk.body = {quoted(workload.body.decode())}")
    return "\n".join(lines) + "\n"


def script_in_turn(paths: Sequence[str]) -> str:
    """Return a Lua script that makes wrk send a GET request for each path in turn, again and again."""
    listed = ", ".join(map(quoted, paths))
    return f"""local paths, prepared, turn = {{{listed}}}, {{}}, 0
function init(args)
  for index, path in ipairs(paths) do prepared[index] = wrk.format("GET", path) end
end
function request()
  turn = turn % #prepared + 1
  return prepared[turn]
end
"""


def quoted(text: str) -> str:
    """Return a text as a Lua string literal; for ASCII, JSON's escapes are the same as Lua's."""
    return json.dumps(text)


def parse_report(output: str) -> LoadRun:
    """Read the JSON line that ends wrk's output."""
    report = json.loads(output.splitlines()[-1])
    rate = report["requests"] / (report["microseconds"] / 1e6)
    return LoadRun(rate, report["p50_us"], report["p99_us"], report["errors"])
