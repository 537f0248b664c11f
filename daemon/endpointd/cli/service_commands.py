"""The commands `endpointd service …`: each reads its request, and hands it to `service.py`."""

from typing import Annotated

import typer

from endpointd.cli.control_commands import Json

application = typer.Typer(help="endpointd as a service of systemd.", no_args_is_help=True)

DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]


@application.command()
def install(dry_run: DryRun = False) -> None:
    """Make the service, enable it and start it; or bring it up to date.

    It makes the user endpointd, its directories, a configuration to begin with, a key and the units. What is there
    already stays, and to run it again does only what is missing.
    """
    from endpointd.cli import service

    service.install(dry_run=dry_run)


@application.command()
def uninstall(
    purge: Annotated[
        bool, typer.Option("--purge", help="Delete plugins, endpoints, secrets, configuration and user too.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    dry_run: DryRun = False,
) -> None:
    """Stop the service and remove its units. Data and configuration stay."""
    from endpointd.cli import service

    service.uninstall(purge=purge, confirmed=yes, dry_run=dry_run)


@application.command()
def show(
    name: Annotated[
        str | None, typer.Argument(metavar="FILE", help="Only this one, as endpointd.service or its whole path.")
    ] = None,
) -> None:
    """Print the units and the other files of the service, for packages and for reading."""
    from endpointd.cli import service

    service.show(name)


@application.command()
def status(json: Json = False) -> None:
    """Tell how the service is installed and how it fares.

    The exit status is 0 when it is as `install` would leave it and runs, else 3.
    """
    from endpointd.cli import service

    raise typer.Exit(service.status(json=json))


def add_to(parent: typer.Typer) -> None:
    parent.add_typer(application, name="service")
