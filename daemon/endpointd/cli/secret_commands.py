"""The commands `endpointd secrets …`."""

import typer

from endpointd.cli.control_commands import CONTROL_PANEL, Config, Json, State

application = typer.Typer(help="The key that endpoints' secrets are sealed with.", no_args_is_help=True)


@application.callback()
def _before_any_command() -> None:
    """There will be more than one."""


@application.command()
def rotate(state: State = None, config: Config = None, json: Json = False) -> None:
    """Seal all secrets with a new key, and drop the old one. Endpoints go on meanwhile."""
    from endpointd.cli import control
    from endpointd.cli.output import print_json, stdout

    with control.connected(state, config) as client:
        done = client.rotate_secrets()
    if json:
        print_json(done)
        return
    stdout().print(f"The secrets of {done['endpoints']} endpoints are sealed with a new key.", soft_wrap=True)
    stdout().print(f"Keep a copy of {done['key_file']}; those of before open nothing any more.", soft_wrap=True)


def add_to(parent: typer.Typer) -> None:
    parent.add_typer(application, name="secrets", rich_help_panel=CONTROL_PANEL)
