"""The commands: each reads its request, asks the part that knows, and prints or exits."""

from pathlib import Path
from typing import Annotated

import structlog
import typer

from endpointd import __version__, logs
from endpointd.cli import (
    backup_commands,
    control_commands,
    endpoint_commands,
    package_commands,
    secret_commands,
    service_commands,
    token_commands,
)
from endpointd.cli.configuration import Configuration, load
from endpointd.cli.effective import print_effective, print_effective_json
from endpointd.cli.environment_commands import environments
from endpointd.cli.options import with_settings
from endpointd.cli.output import plain_table, print_json, report_output, report_warning, stdout
from endpointd.logfiles import Rotation

_EPILOG = (
    "Every option can also stand in the file (clock_queue = 10) and in the environment (ENDPOINTD_CLOCK_QUEUE=10). "
    "A flag wins over the environment, the environment over the file."
)

application = typer.Typer(
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


@application.command(epilog=_EPILOG)
@with_settings
def serve(configuration: Configuration) -> None:
    """Serve the plugins of a directory over HTTP, until SIGTERM or Ctrl-C."""
    raise typer.Exit(_serve(configuration))


@application.command()
def dev(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The plugin's folder (default: here).")] = Path(),
    listen: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Address to serve it on (default: 127.0.0.1:8080).")
    ] = None,
    log_level: Annotated[str | None, typer.Option(metavar="LEVEL", help="Least level that is shown.")] = None,
) -> None:
    """Serve one plugin while you write it: what you save is served, tracebacks are answers, its log is here."""
    from endpointd.cli.development import workshop

    given = {"listen": listen, "log_level": log_level}
    with workshop(folder, {name: value for name, value in given.items() if value is not None}) as configuration:
        raise typer.Exit(_serve(configuration))


def _serve(configuration: Configuration) -> int:
    # The other commands start faster without the server's packages.
    from endpointd.app import run
    from endpointd.cli.announcement import announce

    settings = configuration.settings
    rotation = None
    if settings.log_file is not None:
        rotation = Rotation(settings.log_file.absolute(), settings.log_file_size, settings.log_files_kept)
    logs.configure(settings.log_format, settings.log_level, rotation)
    for warning in configuration.warnings:
        structlog.get_logger().warning(warning)
    people_read = logs.is_console(settings.log_format)
    return run(settings, announce if people_read else None, lambda: load(configuration.flags).settings)


control_commands.add_to(application)
endpoint_commands.add_to(application)
secret_commands.add_to(application)
token_commands.add_to(application)
application.add_typer(environments, name="env", rich_help_panel=control_commands.CONTROL_PANEL)
service_commands.add_to(application)
package_commands.add_to(application)
backup_commands.add_to(application)


@application.command(epilog=_EPILOG)
@with_settings
def config(
    configuration: Configuration,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Print the settings that `serve` would use, and where each value comes from."""
    for warning in configuration.warnings:
        report_warning(warning)
    if json:
        print_effective_json(configuration)
    else:
        print_effective(configuration)


@application.command()
@with_settings
def doctor(
    configuration: Configuration,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON array.")] = False,
) -> None:
    """Look for what stands in the daemon's way, whether it runs or not: the configuration, permissions, the machine.

    The exit status is 0 when nothing has failed, even with warnings, and 1 when something has.
    """
    from endpointd.cli.doctor import examine

    logs.keep_silent()
    checks = list(examine(configuration.settings))
    if json:
        print_json([one.as_dict() for one in checks])
    else:
        rows = [(one.verdict, one.what, f"{one.says}; {one.remedy}" if one.remedy else one.says) for one in checks]
        stdout().print(plain_table(("VERDICT", "WHAT", "SAYS"), rows))
    raise typer.Exit(int(any(one.verdict == "failed" for one in checks)))


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

    logs.keep_silent()
    outcome = check_folder(folder, report_output)
    if json:
        print_json(outcome.as_dict())
    else:
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
