"""Measures endpointd beside gunicorn and granian, and says whether it is as fast as it must be.

Exit status: 0 when every floor is met, 1 when one is not or a request failed, 2 when nothing could be measured.
"""

import argparse
import json
import sys
from pathlib import Path

from errors import BenchError
from floors import floors_of
from machine import describe_machine, describe_versions
from measure import Plan, measure_requests, measure_streams
from record import record
from report import report
from results import Results
from servers import FOR_REQUESTS
from toolchain import find_wrk, prepare_environment


def main() -> int:
    """Measure, report, and return the exit status."""
    arguments = parse_arguments()
    plan = Plan(arguments.rounds, arguments.seconds, arguments.stream_bytes, frozenset(arguments.only))
    try:
        results = measure(plan)
    except BenchError as error:
        sys.stderr.write(f"bench: {error}\n")
        return 2
    sys.stdout.write(report(results) + "\n")
    if arguments.json:
        arguments.json.write_text(json.dumps(record(results), indent=2) + "\n", "utf-8")
    return 1 if results.failures or not all(floor.met for floor in floors_of(results)) else 0


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Measure endpointd beside gunicorn and granian.")
    parser.add_argument("--rounds", type=positive, default=5, help="rounds over all servers (default: 5)")
    parser.add_argument("--seconds", type=positive, default=3, help="seconds of load in each run (default: 3)")
    parser.add_argument(
        "--stream-bytes", type=positive, default=10**9, help="bytes of each stream (default: 1000000000)"
    )
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        choices=[server.name for server in FOR_REQUESTS],
        help="measure this server instead of all; may be given several times",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure to FILE as well")
    return parser.parse_args()


def positive(text: str) -> int:
    """Read a whole number of at least 1."""
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def measure(plan: Plan) -> Results:
    """Get the tools ready and carry the plan out; raise BenchError if something for that is missing."""
    wrk = find_wrk()
    programs = prepare_environment()
    return Results(
        machine=describe_machine(),
        versions=describe_versions(programs, wrk),
        requests=measure_requests(plan, programs, wrk, progress),
        streams=measure_streams(plan, programs, progress),
    )


def progress(text: str) -> None:
    """Write what is being done, apart from the report."""
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())
