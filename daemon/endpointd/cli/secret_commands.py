"""The commands `endpointd secrets …`."""

import typer

from endpointd.cli.control_commands import CONTROL_PANEL, Config, Json, State

application = typer.Typer(help="The key that endpoints' secrets are sealed with.", no_args_is_help=True)


@application.callback()
def _before_any_command() -> None:
    """There will be more than one."""


@application.command()
def rotate(state: State = None, config: Config = None, json: Json = False) -> None:
    """Seal all secrets with a new key, and drop the old one. Endpoints go on meanwhile.

    It is done by the daemon, or here when none runs.
    """
    from endpointd.cli.humane import plural
    from endpointd.cli.output import print_json, stdout
    from endpointd.cli.rotating import rotate_secrets

    done = rotate_secrets(state, config)
    if json:
        print_json(done)
        return
    lines = (
        f"The secrets of {plural(done['endpoints'], 'endpoint')} are sealed with a new key.",
        f"Keep a copy of {done['key_file']}; the old key opens only copies of the database from before.",
    )
    for line in lines:
        stdout().print(line, soft_wrap=True)


def add_to(parent: typer.Typer) -> None:
    parent.add_typer(application, name="secrets", rich_help_panel=CONTROL_PANEL)
