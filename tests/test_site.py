"""The pages that are made of docs/: all of them, each within reach, and no link or anchor that leads nowhere."""

import subprocess
import sys
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"


def build(source: Path, target: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sphinx", "--quiet", "--fail-on-warning", "--keep-going", str(source), str(target)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)


def test_the_pages_are_made_without_a_warning(tmp_path: Path) -> None:
    outcome = build(DOCS, tmp_path)
    assert (outcome.returncode, outcome.stderr) == (0, "")
    made = {page.stem for page in tmp_path.glob("*.html")} - {"genindex", "search"}
    assert made == {page.stem for page in DOCS.glob("*.md")}
    # What only the repository has is named there, and is no link.
    assert 'href="../' not in (tmp_path / "architecture.html").read_text()
