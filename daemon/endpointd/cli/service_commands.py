"""The commands `endpointd service …`: each reads its request, and hands it to `service.py`."""

from typing import Annotated

import typer

from endpointd.cli.control_commands import Json

application = typer.Typer(help="endpointd as a service of systemd.", no_args_is_help=True)

DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]


@application.command()
def install(dry_run: DryRun = False) -> None:
    """Install the service, enable it and start it; or bring it up to date.

    It makes the user endpointd, its directories, a first configuration, a key and the units. A configuration or a key
    that is there already stays. Run again, it does only what is missing or out of date.
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
    """Print the units and the other files of the service."""
    from endpointd.cli import service

    service.show(name)


@application.command()
def status(json: Json = False) -> None:
    """Show how the service is installed and whether it runs.

    The exit status is 0 if it runs and is as `install` would leave it, else 3.
    """
    from endpointd.cli import service

    raise typer.Exit(service.status(json=json))


def add_to(parent: typer.Typer) -> None:
    parent.add_typer(application, name="service")
