"""Commands that are made when somebody wants them."""

from collections.abc import Mapping
from functools import cache
from typing import Any, cast

import typer.main
from typer.core import TyperCommand, TyperGroup

LATE = ("serve", "env", "config", "doctor")
"""Those whose options, or whose commands' options, are the settings (`setting_commands`)."""


class Commands(TyperGroup):
    """All commands. In the place of each of `LATE` is a stand-in, which keeps its place in the list of them."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ANN401 - Click's, which Typer brings along or not
        return _made()[cmd_name] if cmd_name in LATE else super().get_command(ctx, cmd_name)

    def all(self) -> dict[str, TyperCommand | TyperGroup]:
        """By name, in the order of `--help`."""
        context: Any = typer.Context(cast("Any", self))
        return {name: self.get_command(context, name) for name in self.list_commands(context)}


def stand_in() -> None:
    """Never run."""


@cache
def _made() -> Mapping[str, Any]:
    from endpointd.cli import setting_commands

    group = typer.main.get_command(setting_commands.application)
    assert isinstance(group, TyperGroup)
    return group.commands
