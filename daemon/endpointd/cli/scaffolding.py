"""`endpointd new`: writes a working plugin, and prints what to do with it."""

import shlex
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

from rich.text import Text

from endpointd.cli.output import is_quiet, stdout
from endpointd.errors import UsageError
from endpointd.scaffold.author import guess_author
from endpointd.scaffold.names import check_author, check_description, check_name
from endpointd.scaffold.template import NewPlugin, render
from endpointd.scaffold.writing import write_folder

_DESCRIPTION = "Greets by name, and sends back the JSON that it was sent."


@dataclass(frozen=True, slots=True)
class Created:
    """The folder of a new plugin. `origin` says where the author's name was taken from; None if it was given."""

    folder: Path
    author: str
    origin: str | None


def create_plugin(name: str, author: str | None, description: str | None, directory: Path) -> Created:
    """Write the plugin `name` to a new folder of that name. Raises `UsageError` or `OperatorError`, and writes nothing
    then."""
    check_name(name)
    origin = None
    if author is None:
        author, origin = guess_author()
    check_author(author)
    description = _DESCRIPTION if description is None else description
    check_description(description)
    if not directory.is_dir():
        raise UsageError("not_a_directory", f"{directory} is not a directory", "name one that is there")
    folder = directory / name
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    write_folder(folder, render(NewPlugin(name, author, description, now)))
    return Created(folder, author, origin)


def print_created(created: Created) -> None:
    """Print what was written, and the next commands as they can be typed, unless `--quiet`."""
    if is_quiet():
        return
    folder, parent = _typed(created.folder), _typed(created.folder.parent)
    # Its tests need endpointd, which another pytest of this machine has not.
    python = shlex.quote(sys.executable)
    console = stdout()
    console.print(Text.assemble(("written: ", "bold green"), folder), soft_wrap=True)
    if created.origin is not None:
        text = f"author: {created.author} (from {created.origin}; another one: author in {folder}/manifest.yaml)"
        console.print(text, soft_wrap=True)
    steps = {"check it": f"endpointd check {folder}"}
    if find_spec("pytest") is None:
        steps["to test"] = f"{python} -m pip install pytest"
    steps |= {
        "test it": f"{python} -m pytest {folder}",
        "write it": f"endpointd dev {folder}",
        "serve it": f"endpointd serve --plugins {parent}",
    }
    for step, command in steps.items():
        console.print(f"  {step + ':':<10} {command}", soft_wrap=True)


def _typed(path: Path) -> str:
    """The path as it can be typed in a shell; a leading hyphen is avoided, because it would be an option."""
    text = f"./{path}" if str(path).startswith("-") else str(path)
    return shlex.quote(text)
