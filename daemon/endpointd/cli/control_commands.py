"""The commands that ask a running daemon: each reads its request and hands it to `control.py`.

That is imported only when a command runs, because the HTTP client takes its time to be imported.
"""

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

CONTROL_PANEL = "Control a running daemon"

State: TypeAlias = Annotated[Path | None, typer.Option("--state", metavar="DIR", help="The daemon's state directory.")]
Config: TypeAlias = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="The daemon's configuration file, to find its state by.")
]
Json: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON, with times and sizes as plain numbers.")]
Name: TypeAlias = Annotated[
    str, typer.Argument(metavar="NAME", help="author/name, or the name alone, or the folder's name.")
]
Names: TypeAlias = Annotated[
    list[str], typer.Argument(metavar="NAME...", help="author/name, or the name alone, or the folder's name.")
]


def list_(state: State = None, config: Config = None, json: Json = False) -> None:
    """List the plugins."""
    from endpointd.cli import control

    with control.connected(state, config) as client:
        control.list_plugins(client, json=json)


def status(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="One plugin; without it, all.")] = None,
    state: State = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Show the state of a plugin, or of the daemon and all its plugins.

    With NAME the exit status is 0 when the plugin runs or sleeps, and 3 when it does not.
    """
    from endpointd.cli import control

    with control.connected(state, config) as client:
        if name is not None:
            raise typer.Exit(control.show_one(client, name, json=json))
        control.show_all(client, json=json)


def start(names: Names, state: State = None, config: Config = None) -> None:
    """Start plugins that were stopped or have failed."""
    _act("start", names, "RUNNING", state, config)


def stop(names: Names, state: State = None, config: Config = None) -> None:
    """Stop plugins, after they have finished their requests."""
    _act("stop", names, "STOPPED", state, config)


def restart(names: Names, state: State = None, config: Config = None) -> None:
    """Replace the workers of plugins without losing a request.

    If a new worker does not get ready, the old one goes on, and the exit status is 1.
    """
    _act("restart", names, "RUNNING", state, config)


def _act(action: str, names: list[str], expected: str, state: Path | None, config: Path | None) -> None:
    from endpointd.cli import control

    with control.connected(state, config) as client:
        raise typer.Exit(control.act_on_each(client, action, names, expected))


def rollback(
    name: Name,
    release: Annotated[
        str | None,
        typer.Option(metavar="R", help="A release that 'status NAME' lists (default: the one before the present one)."),
    ] = None,
    state: State = None,
    config: Config = None,
) -> None:
    """Run an older release until the plugin's folder changes."""
    from endpointd.cli import control

    with control.connected(state, config) as client:
        control.roll_back(client, name, release)


def install(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="The plugin's folder, or a package (NAME.difypkg).")],
    replace: Annotated[
        bool,
        typer.Option("--replace/--no-replace", help="Replace an installed plugin of the same name."),
    ] = False,
    state: State = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Install a plugin, from its folder or a package, and serve it.

    If it does not run, everything is put back as it was, and the exit status is 1.
    """
    from endpointd.cli import control, installing

    with control.connected(state, config) as client:
        installing.install(client, path, replace=replace, json=json)


def uninstall(
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    state: State = None,
    config: Config = None,
) -> None:
    """Stop a plugin, and remove its folder."""
    from endpointd.cli import control

    with control.connected(state, config) as client:
        control.uninstall(client, name, confirmed=yes)


def reload(state: State = None, config: Config = None) -> None:
    """Make the daemon read its configuration again, as SIGHUP does.

    If it cannot be used, nothing changes, and the exit status is 2.
    """
    from endpointd.cli import control

    with control.connected(state, config) as client:
        control.reload(client)


def log_level(
    level: Annotated[
        str | None, typer.Argument(metavar="LEVEL", help="debug, info, warning or error; without it, show the level.")
    ] = None,
    reset: Annotated[bool, typer.Option("--reset", help="Back to what the settings say.")] = False,
    state: State = None,
    config: Config = None,
) -> None:
    """Show the level that the daemon logs at, or change it until the next start."""
    from endpointd.cli import control

    with control.connected(state, config) as client:
        control.change_log_level(client, level, reset=reset)


def logs(
    name: Name,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Then show new lines as they come.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, max=1000, help="How many of the newest lines.")] = 100,
    state: State = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Show what a plugin printed and logged, and what happened to it."""
    from endpointd.cli import control

    with control.connected(state, config) as client:
        control.show_log(client, name, lines, follow=follow, json=json)


def add_to(application: typer.Typer) -> None:
    """In the order in which `--help` is to list them."""
    application.command("list", rich_help_panel=CONTROL_PANEL)(list_)
    for command in (status, logs, start, stop, restart, rollback, install, uninstall, reload):
        application.command(rich_help_panel=CONTROL_PANEL)(command)
    application.command("log-level", rich_help_panel=CONTROL_PANEL)(log_level)
