"""The commands about environments: two ask a running daemon, one builds without it."""

from pathlib import Path
from typing import Annotated

import typer

from endpointd.cli.configuration import Configuration
from endpointd.cli.control_commands import Config, Json, State
from endpointd.cli.options import with_settings
from endpointd.logs import logs

environments = typer.Typer(help="List, remove and build the environments of plugins.", no_args_is_help=True)


@environments.command("list")
def list_(state: State = None, config: Config = None, json: Json = False) -> None:
    """List the environments that the daemon keeps: their sizes, and who needs them."""
    from endpointd.cli import control, environments

    with control.connected(state, config) as client:
        environments.list_environments(client, json=json)


@environments.command()
def prune(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be removed.")] = False,
    state: State = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Remove the environments that neither a plugin nor a kept release needs."""
    from endpointd.cli import control, environments

    with control.connected(state, config) as client:
        environments.prune_environments(client, dry_run=dry_run, json=json)


@environments.command()
@with_settings
def build(
    configuration: Configuration,
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...", help="The plugins' folders.")],
) -> None:
    """Build the environments of plugins before they are served: for a machine without a network, say.

    The daemon uses them if it has the same settings. The exit status is 1 if one could not be built.
    """
    from endpointd.cli.building import build_all

    logs.keep_silent()
    raise typer.Exit(build_all(configuration.settings, folders))
