"""`endpointd backup` and `endpointd restore`."""

from pathlib import Path
from typing import Annotated

import typer

from endpointd.cli.control_commands import Config, State

PANEL = "Backups"


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where the backup is written.")],
    with_key: Annotated[
        bool, typer.Option("--with-key", help="Put the key of the secrets in too: who has FILE has the secrets then.")
    ] = False,
    state: State = None,
    config: Config = None,
) -> None:
    """Save what the daemon keeps, while it runs.

    In it are the database (endpoints, tokens, what plugins store), the plugins, and what was rolled back.
    """
    from endpointd.cli import saving

    saving.backup(file, state, config, with_key=with_key)


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What 'endpointd backup' has written.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="Put it in the place of what is there, which is kept aside.")
    ] = False,
    state: State = None,
    config: Config = None,
) -> None:
    """Put a backup back, while no daemon runs."""
    from endpointd.cli import saving

    saving.restore_backup(file, state, config, replace=replace)


def add_to(application: typer.Typer) -> None:
    for command in (backup, restore):
        application.command(rich_help_panel=PANEL)(command)
