"""Building the project's wheel, and others that differ in their version, without a trace in the source tree."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def build_wheel(folder: Path, version: str | None = None) -> Path:
    """The wheel of the project as it is now, or one that calls itself `version`, made in `folder`."""
    source = folder / "source"
    source.mkdir(parents=True)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    (source / "docs").mkdir()
    shutil.copy(ROOT / "docs" / "endpointd.1", source / "docs")
    for name in ("daemon", "worker"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    if version is not None:
        init = source / "daemon" / "endpointd" / "__init__.py"
        text, count = re.subn(r'__version__ = ".*"', f'__version__ = "{version}"', init.read_text(encoding="utf-8"))
        assert count == 1
        init.write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--wheel-dir", str(folder), str(source)], check=True, timeout=300)
    (wheel,) = folder.glob("*.whl")
    return wheel
