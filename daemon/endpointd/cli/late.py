"""Commands that are created only when they are run."""

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, cast

import typer.main
from typer.core import TyperCommand, TyperGroup

from endpointd.cli.output import be_quiet

LATE = ("serve", "env", "config", "doctor")
"""Those whose options, or whose commands' options, are the settings (`setting_commands`)."""


class Commands(TyperGroup):
    """All commands. In the place of each of `LATE` is a stand-in, which keeps its place in the list of them."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ANN401 - Click's, which Typer brings along or not
        return _hushed(_made()[cmd_name] if cmd_name in LATE else super().get_command(ctx, cmd_name))

    def all(self) -> dict[str, TyperCommand | TyperGroup]:
        """By name, in the order of `--help`."""
        context: Any = typer.Context(cast("Any", self))
        return {name: self.get_command(context, name) for name in self.list_commands(context)}


def _be_quiet(wanted: bool) -> bool:
    if wanted:
        be_quiet()
    return wanted


def _hushed(command: Any) -> Any:  # noqa: ANN401 - Click's
    """Add `--quiet` to a command, or to all commands of a group."""
    if isinstance(command, TyperGroup):
        for one in command.commands.values():
            _hushed(one)
    elif command is not None and not any("--quiet" in one.opts for one in command.params):
        command.params.append(_quiet())
    return command


@cache
def _quiet() -> Any:  # noqa: ANN401
    """The option `--quiet`, as Typer makes it."""
    alone = typer.Typer(add_completion=False)
    alone.command()(_with_quiet)
    (option,) = typer.main.get_command(alone).params
    option.expose_value = False
    return option


def _with_quiet(
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print only answers, warnings and errors.", callback=_be_quiet)
    ] = False,
) -> None:
    """Never run."""


def stand_in() -> None:
    """Never run."""


@cache
def _made() -> Mapping[str, Any]:
    from endpointd.cli import setting_commands

    group = typer.main.get_command(setting_commands.application)
    assert isinstance(group, TyperGroup)
    return group.commands
