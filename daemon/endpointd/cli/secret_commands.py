"""The commands `endpointd secrets …`."""

from pathlib import Path
from typing import Annotated

import typer

from endpointd.cli.control_commands import CONTROL_PANEL, Config, Json, State

application = typer.Typer(help="The key that endpoints' secrets are sealed with.", no_args_is_help=True)


@application.command()
def rotate(state: State = None, config: Config = None, json: Json = False) -> None:
    """Seal all secrets with a new key, and drop the old one. Endpoints go on meanwhile.

    The daemon does it, or this command itself if none runs.
    """
    from endpointd.cli.output import print_json, tell
    from endpointd.cli.rotating import rotate_secrets
    from endpointd.humane import plural

    done = rotate_secrets(state, config)
    if json:
        print_json(done)
        return
    lines = (
        f"The secrets of {plural(done['endpoints'], 'endpoint')} are sealed with a new key.",
        f"Keep a copy of {done['key_file']}; the old key opens only copies of the database from before.",
    )
    for line in lines:
        tell(line)


@application.command("new-key")
def new_key(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file with the keys, as root has it for systemd.")],
) -> None:
    """Put a new key first into a key file that systemd hands to the daemon.

    Then restart the daemon, and run 'endpointd secrets rotate' to seal all secrets with it.
    """
    from endpointd.cli.output import tell
    from endpointd.cli.rotating import add_key

    add_key(file)
    tell(f"A new key is in {file}, before the old ones, which are still needed.")
    tell("Next: 'systemctl restart endpointd', then 'endpointd secrets rotate'.")


def add_to(parent: typer.Typer) -> None:
    parent.add_typer(application, name="secrets", rich_help_panel=CONTROL_PANEL)
