"""The commands whose options are the settings. This module is only imported when one of them is run (`late.Commands`),
because importing the settings takes longer than most other commands."""

from collections.abc import Mapping
from typing import Annotated, Any

import structlog
import typer

from endpointd.cli.configuration import Configuration, load
from endpointd.cli.control_commands import CONTROL_PANEL
from endpointd.cli.effective import print_effective, print_effective_json
from endpointd.cli.environment_commands import environments
from endpointd.cli.options import with_settings
from endpointd.cli.output import is_quiet, plain_table, print_json, report_warning, stdout
from endpointd.logs import logs
from endpointd.logs.files import Rotation

_EPILOG = (
    "Every option can also stand in the file (clock_queue = 10) and in the environment (ENDPOINTD_CLOCK_QUEUE=10). "
    "A flag wins over the environment, the environment over the file."
)

application = typer.Typer()
application.add_typer(environments, name="env", rich_help_panel=CONTROL_PANEL)


@application.command(epilog=_EPILOG)
@with_settings
def serve(configuration: Configuration) -> None:
    """Serve the plugins of a directory over HTTP, until SIGTERM or Ctrl-C."""
    raise typer.Exit(run_daemon(configuration))


ROUTINE = frozenset(
    [
        "cgroups.not_used",
        "database.made",
        "plugin.added",
        "plugin.stage",
        "plugin.state",
        "ready",
        "worker.ended",
        "worker.ready",
    ]
)
"""Events that tell authors of plugins nothing new: in development they are shown only with the log level "debug"."""


def run_daemon(configuration: Configuration, given: Mapping[str, Any] | None = None) -> int:
    """Run the daemon; returns the exit status. `given`: see `app.run`."""
    # Imported here because the other commands start faster without the server's packages.
    from endpointd.app import run
    from endpointd.cli.announcement import announce

    settings = configuration.settings
    rotation = None
    if settings.log_file is not None:
        rotation = Rotation(settings.log_file.absolute(), settings.log_file_size, settings.log_files_kept)
    people_read = logs.is_console(settings.log_format) and not is_quiet()
    without = ROUTINE if settings.development and people_read and rotation is None else ()
    logs.configure(settings.log_format, settings.log_level, rotation, without)
    for warning in configuration.warnings:
        structlog.get_logger().warning(warning)
    return run(settings, announce if people_read else None, lambda: load(configuration.flags).settings, given)


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
    """Look for problems in the configuration, permissions and the machine, whether the daemon runs or not.

    The exit status is 0 if nothing has failed, even with warnings, and 1 if something has.
    """
    from endpointd.cli.doctor import examine

    logs.keep_silent()
    checks = list(examine(configuration.settings))
    if json:
        print_json([one.as_dict() for one in checks])
    else:
        shown = [one for one in checks if not (is_quiet() and one.verdict == "ok")]
        rows = [(one.verdict, one.what, f"{one.says}; {one.remedy}" if one.remedy else one.says) for one in shown]
        if rows:
            stdout().print(plain_table(("VERDICT", "WHAT", "SAYS"), rows))
    raise typer.Exit(int(any(one.verdict == "failed" for one in checks)))
