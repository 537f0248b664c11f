"""The commands: each reads its request, asks the part that knows, and prints or exits."""

from pathlib import Path
from typing import Annotated

import typer

from endpointd import __version__
from endpointd.cli import (
    backup_commands,
    control_commands,
    endpoint_commands,
    package_commands,
    secret_commands,
    service_commands,
    token_commands,
)
from endpointd.cli.late import Commands, stand_in
from endpointd.cli.output import is_quiet, print_json, report_output, stdout

application = typer.Typer(
    cls=Commands,
    help="A daemon that runs endpoint plugins: folders of YAML and Python that answer HTTP.",
    no_args_is_help=True,
    # What gets this far is a defect, and a report of one needs the plain traceback.
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        stdout().print(f"endpointd {__version__}", soft_wrap=True)
        raise typer.Exit


@application.callback()
def _before_any_command(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Nothing but the options that stand before a command."""


application.command("serve")(stand_in)


@application.command()
def dev(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The plugin's folder (default: here).")] = Path(),
    listen: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Address to serve it on (default: 127.0.0.1:8080).")
    ] = None,
    log_level: Annotated[str | None, typer.Option(metavar="LEVEL", help="Least important level that is shown.")] = None,
    set_: endpoint_commands.Set = None,
    set_file: endpoint_commands.SetFile = None,
    state: Annotated[
        str | None, typer.Option(metavar="DIR", help="Where its endpoints and its storage are kept (default: nowhere).")
    ] = None,
) -> None:
    """Serve one plugin while you write it: each version that you save, with its log and with tracebacks in answers."""
    from endpointd.cli.development import print_state, workshop
    from endpointd.cli.setting_commands import run_daemon
    from endpointd.cli.typed_values import Assignments

    options = {"listen": listen, "log_level": log_level, "state": state}
    flags = {name: value for name, value in options.items() if value is not None}
    with workshop(folder, flags, Assignments(set_ or (), set_file or ())) as made:
        print_state(made)
        raise typer.Exit(run_daemon(made.configuration, made.given))


control_commands.add_to(application)
endpoint_commands.add_to(application)
secret_commands.add_to(application)
token_commands.add_to(application)
application.add_typer(typer.Typer(callback=stand_in), name="env")
service_commands.add_to(application)
package_commands.add_to(application)
backup_commands.add_to(application)
application.command("config")(stand_in)
application.command("doctor")(stand_in)


@application.command()
def check(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The plugin's folder.")],
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Check a plugin's folder without serving it: its files first, then whether its code loads.

    The exit status is 0 when the plugin can be served, even with warnings, and 1 when it cannot.
    """
    from endpointd.cli.checking import check_folder
    from endpointd.cli.findings import print_check
    from endpointd.logs import logs

    logs.keep_silent()
    outcome = check_folder(folder, report_output)
    if json:
        print_json(outcome.as_dict())
    elif not (is_quiet() and outcome.ok):
        print_check(outcome)
    raise typer.Exit(0 if outcome.ok else 1)


@application.command()
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The plugin's name: a-z, 0-9, _ and -.")],
    author: Annotated[
        str | None, typer.Option(metavar="AUTHOR", help="Its author (default: git's user.name, or the login name).")
    ] = None,
    description: Annotated[str | None, typer.Option(metavar="TEXT", help="What it does, in one line.")] = None,
    directory: Annotated[Path, typer.Option(metavar="DIR", help="Where its folder is made (default: here).")] = Path(),
) -> None:
    """Write a new plugin that works: two interfaces, two settings, and tests.

    It becomes DIR/NAME, which must not be there yet.
    """
    from endpointd.cli.scaffolding import create_plugin, print_created

    print_created(create_plugin(name, author, description, directory))
