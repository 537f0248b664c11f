"""The order of the tests' files, which are handed out to several processes one by one."""

from itertools import islice
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
LONG = ("browser", "cli", "faults", "live", "official", "store", "system")
"""Folders whose files take long: they have daemons, browsers, servers, loads, or all of these."""

BETWEEN = 2
"""Other files after each of these, while there are some, so that not everything is under load at the same time."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files come early: for one that begins when all others are done, everybody waits."""
    files: dict[Path, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.path, []).append(item)
    others = iter([file for file in files if not _takes_long(file)])
    ordered: list[Path] = []
    for file in filter(_takes_long, files):
        ordered += [file, *islice(others, BETWEEN)]
    ordered += others
    items[:] = [item for file in ordered for item in files[file]]


def _takes_long(file: Path) -> bool:
    return file.is_relative_to(TESTS) and file.relative_to(TESTS).parts[0] in LONG
