"""A start by a user who may not read what is there: told as what it is."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

PROGRAM = """
import os, sys
from pathlib import Path
from endpointd.errors import OperatorError
from endpointd.plugins.intake import Intake
from endpointd.installing.placing import recover
from endpointd.premises import make_state
from endpointd.installing.staging import clean

if os.getuid() == 0:
    os.setuid(65534)
place = Path(sys.argv[1])
for act in (lambda: make_state(place), lambda: (list(recover(place)), clean(place), Intake(place, None).names())):
    try:
        act()
        print("well")
    except OperatorError as error:
        print(error)
"""


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory of everybody's."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        yield Path(name)


def told(place: Path) -> list[str]:
    command = [sys.executable, "-c", PROGRAM, str(place)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout.splitlines()


@pytest.mark.parametrize("name", ["releases", "environments"])
def test_what_another_user_has_left_in_the_state_directory_is_named(place: Path, name: str) -> None:
    (place / name).mkdir(mode=0o000)
    said, _ = told(place)
    assert f"the folder {name} in it may not be read" in said
    assert "[state_unusable]" in said


def test_a_plugins_directory_that_may_not_be_read_is_told_as_such(place: Path) -> None:
    place.chmod(0o000)
    _, said = told(place)
    place.chmod(0o777)
    assert "[plugins_unreadable]" in said


def test_what_may_be_read_is_well(place: Path) -> None:
    (place / "releases").mkdir(mode=0o755)
    (place / "releases").chmod(0o755)
    assert told(place) == ["well", "well"]
