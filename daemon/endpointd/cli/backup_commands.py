"""`endpointd backup` and `endpointd restore`."""

from pathlib import Path
from typing import Annotated

import typer

from endpointd.cli.control_commands import Config, State

PANEL = "Backups"


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where the backup is written.")],
    with_key: Annotated[
        bool, typer.Option("--with-key", help="Save the key of the secrets too: whoever has FILE then has the secrets.")
    ] = False,
    state: State = None,
    config: Config = None,
) -> None:
    """Save the daemon's data, while it runs or not.

    The file has the database (endpoints, tokens, what plugins store), the plugins, and which were rolled back.
    """
    from endpointd.cli import saving

    saving.backup(file, state, config, with_key=with_key)


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What 'endpointd backup' has written.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace what is there, and keep it in hidden folders.")
    ] = False,
    state: State = None,
    config: Config = None,
) -> None:
    """Restore a backup, while no daemon runs."""
    from endpointd.cli import saving

    saving.restore_backup(file, state, config, replace=replace)


def add_to(application: typer.Typer) -> None:
    for command in (backup, restore):
        application.command(rich_help_panel=PANEL)(command)
