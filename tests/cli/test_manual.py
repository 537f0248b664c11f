"""The manual page, and the completion of commands by shells."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

from endpointd.cli.commands import application
from endpointd.cli.late import Commands
from endpointd.cli.manual import manual

PAGE = Path(__file__).parents[2] / "docs" / "endpointd.1"


def test_it_is_what_the_commands_say_of_themselves() -> None:
    assert PAGE.read_text(encoding="ascii") == manual(), "run 'make docs'"


def test_it_has_every_command_and_option() -> None:
    group = typer.main.get_command(application)
    assert isinstance(group, Commands)
    text = manual().replace("\\-", "-")
    for name, command in group.all().items():
        assert f".SS endpointd {name}" in text
        for parameter in command.params:
            for option in parameter.opts if parameter.param_type_name == "option" else ():
                assert f"\\fB{option}\\fR" in text, f"{name} {option}"


def test_it_can_be_read_by_man() -> None:
    groff = shutil.which("groff")
    if groff is None:
        pytest.skip("NOT TESTED: the manual page with groff, which this machine has not")
    outcome = subprocess.run(
        [groff, "-man", "-Tutf8", "-ww", str(PAGE)], capture_output=True, text=True, check=True, timeout=60
    )
    assert outcome.stderr == ""
    assert "Serve the plugins of a directory over HTTP" in " ".join(outcome.stdout.split())


@pytest.mark.parametrize(
    ("typed", "number", "offered"),
    [
        ("endpointd res", "1", "restart"),
        ("endpointd endpoint cr", "2", "create"),
        ("endpointd serve --lis", "2", "--listen"),
    ],
)
def test_a_shell_completes_what_is_typed(typed: str, number: str, offered: str) -> None:
    program = Path(sys.executable).with_name("endpointd")
    asked = {"_ENDPOINTD_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": number}
    outcome = subprocess.run([program], env=os.environ | asked, capture_output=True, text=True, check=True, timeout=60)
    assert offered in outcome.stdout.split()
