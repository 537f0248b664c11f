"""Measures endpointd, compares it with other servers, and checks whether its goals are met.

Exit status: 0 if every measured goal is met and no request failed, 1 if not, 2 if nothing could be measured.
"""

import argparse
import json
import signal
import sys
from pathlib import Path

from errors import BenchError
from goals import goals_of
from machine import describe_machine, describe_sdk, describe_versions
from measurement import Bench, Plan
from publish import PAGE, RESULTS, publish
from registry import MEASUREMENTS
from report import report
from results import Results
from servers import SERVERS
from taking import take_all
from toolchain import find_wrk, prepare_environment, prepare_sdk

WHOLE = Plan()
LATEST = Path(__file__).parent / "results" / "latest.json"
QUICK = Plan(rounds=1, seconds=1, stream_bytes=10**8, largest=10)


def main() -> int:
    """Measure, report, and return the exit status."""
    arguments = parse_arguments()
    # An exception, as with Ctrl-C, so that started servers are stopped on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    chosen = [one for one in MEASUREMENTS if not arguments.only or one.name in arguments.only]
    try:
        bench = prepare(arguments)
        results = begin(bench, arguments)
    except BenchError as error:
        sys.stderr.write(f"bench: {error}\n")
        return 2
    take_all(bench, chosen, results, lambda so_far: keep(so_far, arguments.json))
    sys.stdout.write(report(results) + "\n")
    if arguments.publish or is_whole(arguments):
        publish(results, bench.programs)
        sys.stdout.write(f"\nwritten: {PAGE}, {RESULTS}\n")
    missed = any(goal.measured is not None and not goal.met for goal in goals_of(results))
    return 1 if missed or results.failures() or any(results.problems()) else 0


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Measure endpointd beside other servers, and by itself.")
    names = [one.name for one in MEASUREMENTS]
    parser.add_argument("--only", action="append", default=[], choices=names, help="take this measurement alone")
    parser.add_argument(
        "--server", action="append", default=[], choices=[one.name for one in SERVERS], help="and this server alone"
    )
    parser.add_argument("--quick", action="store_true", help="one short round, small sizes: to see that it works")
    parser.add_argument("--rounds", type=positive, help=f"rounds over everything (default: {WHOLE.rounds})")
    parser.add_argument("--seconds", type=positive, help=f"seconds of load in each run (default: {WHOLE.seconds})")
    parser.add_argument("--json", type=Path, default=LATEST, metavar="FILE", help="where every figure is written")
    parser.add_argument(
        "--into", type=Path, metavar="FILE", help="begin with the figures of FILE, and replace the taken"
    )
    parser.add_argument("--publish", action="store_true", help="write docs/performance.md, as a whole run does")
    return parser.parse_args()


def positive(text: str) -> int:
    """Read a whole number of at least 1."""
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def is_whole(arguments: argparse.Namespace) -> bool:
    """Return whether everything is measured, for long enough that the results may be published."""
    return not (arguments.only or arguments.server or arguments.quick or arguments.rounds or arguments.seconds)


def prepare(arguments: argparse.Namespace) -> Bench:
    """Prepare the tools; raise BenchError if something is missing."""
    base = QUICK if arguments.quick else WHOLE
    rounds, seconds = arguments.rounds or base.rounds, arguments.seconds or base.seconds
    plan = Plan(rounds, seconds, base.stream_bytes, base.largest)
    return Bench(plan, prepare_environment(), find_wrk(), frozenset(arguments.server), progress)


def begin(bench: Bench, arguments: argparse.Namespace) -> Results:
    """Return results without measurements, or with those of the file given by ``--into``."""
    versions = describe_versions(bench.programs, bench.wrk) | describe_sdk(prepare_sdk())
    results = Results(describe_machine(), versions, bench.plan.as_dict())
    if arguments.into:
        results.takings = Results.from_dict(json.loads(arguments.into.read_text("utf-8"))).takings
    return results


def keep(results: Results, file: Path) -> None:
    """Write the results so far, so that they are not lost if a later measurement fails."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(results.as_dict(), indent=1) + "\n", "utf-8")


def progress(text: str) -> None:
    """Write what is being done to stderr, separate from the report on stdout."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
