"""The commands `endpointd token …`: each reads its request and hands it to `tokens.py`, imported only then."""

from typing import Annotated

import typer

from endpointd.cli.control_commands import CONTROL_PANEL, Config, Json, State

application = typer.Typer(help="Tokens, which let others control the daemon over a network.", no_args_is_help=True)


@application.command()
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Who or what it is for, in one word.")],
    days: Annotated[
        int | None, typer.Option(metavar="N", help="How many days it is valid (default: until it is revoked).")
    ] = None,
    state: State = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Make a token, and print its secret alone on standard output. It is never shown again."""
    from endpointd.cli import control, tokens

    with control.connected(state, config) as client:
        tokens.create(client, name, days, json=json)


@application.command("list")
def list_(state: State = None, config: Config = None, json: Json = False) -> None:
    """List the tokens, without their secrets."""
    from endpointd.cli import control, tokens

    with control.connected(state, config) as client:
        tokens.list_tokens(client, json=json)


@application.command()
def revoke(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The token's name, or its id.")],
    state: State = None,
    config: Config = None,
) -> None:
    """Revoke a token, at once."""
    from endpointd.cli import control, tokens

    with control.connected(state, config) as client:
        tokens.revoke(client, name)


def add_to(parent: typer.Typer) -> None:
    parent.add_typer(application, name="token", rich_help_panel=CONTROL_PANEL)
