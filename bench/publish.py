"""Writes docs/performance.md, its plots and its figures from the results. Nothing there is written by hand.

``python bench/publish.py`` writes the page again from docs/performance.json, for instance after ``reasons.py`` changed.
"""

import json
import subprocess
import sys
from pathlib import Path

from errors import BenchError
from page import page
from results import Results

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGE = DOCS / "performance.md"
RESULTS = DOCS / "performance.json"
IMAGES = DOCS / "images"
PLOTS = Path(__file__).with_name("plots.py")


def publish(results: Results, programs: Path) -> None:
    """Write the figures, the plots and the page."""
    RESULTS.write_text(json.dumps(results.as_dict(), separators=(",", ":")) + "\n", "utf-8")
    for old in IMAGES.glob("performance-*.svg"):
        old.unlink()
    command = [programs / "python", PLOTS, RESULTS, IMAGES]
    if subprocess.run(command, check=False).returncode:
        raise BenchError("the plots could not be drawn: the reason is above")
    PAGE.write_text(page(results), "utf-8")


if __name__ == "__main__":
    if sys.argv[1:]:
        sys.exit("this takes no arguments")
    from toolchain import prepare_environment

    publish(Results.from_dict(json.loads(RESULTS.read_text("utf-8"))), prepare_environment())
