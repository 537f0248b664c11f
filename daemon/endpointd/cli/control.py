"""Implements the commands that control the plugins of a running daemon."""

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import get_args

import typer

from endpointd.admin.client import Client
from endpointd.admin.documents import DaemonStatus, read
from endpointd.admin.location import find_state
from endpointd.admin.names import resolve, resolve_served
from endpointd.cli.describing import print_plugin
from endpointd.cli.journals import print_entries, print_ndjson
from endpointd.cli.listing import print_list, print_overview, why_not
from endpointd.cli.output import print_json, report_error, stderr, stdout, tell
from endpointd.cli.progress import waiting
from endpointd.errors import OperatorError, UsageError
from endpointd.manifest.findings import one_line
from endpointd.plugins.status import PluginStatus
from endpointd.settings.names import LogLevel

NOT_RUNNING = 3
"""The exit status of `status NAME` if the plugin does not run; the same as systemctl's."""

RUNNING = "RUNNING"
SLEEPING = "SLEEPING"
STOPPED = "STOPPED"


@contextmanager
def connected(state: Path | None, config: Path | None) -> Iterator[Client]:
    with Client(find_state(state, config)) as client:
        yield client


# Reading


def list_plugins(client: Client, *, json: bool) -> None:
    documents = client.plugins()
    if json:
        print_json(documents)
    else:
        print_list([read(PluginStatus, document) for document in documents], time.time())


def show_all(client: Client, *, json: bool) -> None:
    daemon, documents = client.daemon(), client.plugins()
    if json:
        print_json({"daemon": daemon, "plugins": documents})
    else:
        print_overview(
            read(DaemonStatus, daemon), [read(PluginStatus, document) for document in documents], time.time()
        )


def show_one(client: Client, name: str, *, json: bool) -> int:
    """Print the status of one plugin; returns the exit status."""
    documents = client.plugins()
    statuses = [read(PluginStatus, document) for document in documents]
    status = resolve(name, statuses)
    if json:
        print_json(documents[statuses.index(status)])
    else:
        print_plugin(status, time.time())
    return 0 if status.state in (RUNNING, SLEEPING) else NOT_RUNNING


def show_log(client: Client, name: str, lines: int, *, follow: bool, json: bool) -> None:
    entries = client.log(_find(client, name), lines, follow=follow)
    if json:
        print_ndjson(entries)
    else:
        print_entries(entries)


# Acting


def act_on_each(client: Client, action: str, names: Sequence[str], expected: str) -> int:
    """Act on the plugins one after the other, even if one fails. Returns the exit status: 0 if all are in the state
    `expected` afterwards."""
    failed = 0
    for name in names:
        try:
            plugin_id = _find(client, name)
            report(_acted(client, action, plugin_id), expected)
        except OperatorError as error:
            report_error(error)
            failed = max(failed, 2 if isinstance(error, UsageError) else 1)
    return failed


def _acted(client: Client, action: str, plugin_id: str, body: object = None) -> object:
    what = f"{action} {plugin_id}"
    return waiting(what, lambda: client.act(action, plugin_id, body), lambda: building(client, plugin_id))


def roll_back(client: Client, name: str, release: str | None) -> None:
    plugin_id = _find(client, name)
    report(_acted(client, "rollback", plugin_id, {"release": release}), RUNNING)


def uninstall(client: Client, name: str, *, confirmed: bool) -> None:
    plugin_id = _find(client, name)
    if not confirmed:
        _confirm(plugin_id)
    waiting(f"uninstall {plugin_id}", lambda: client.uninstall(plugin_id))
    tell(one_line(f"{plugin_id} is uninstalled"))


def reload(client: Client) -> None:
    later = client.reload()["needs_restart"]
    tell("The configuration was read again.")
    if later:
        stderr().print(one_line(f"Only a new start changes: {', '.join(later)}"), soft_wrap=True)


def change_log_level(client: Client, level: str | None, *, reset: bool) -> None:
    if level is not None and (reset or level.lower() not in get_args(LogLevel)):
        what = "give a level or --reset" if reset else f"{level!r} is no level"
        raise UsageError("log_level_unknown", what, f"one of {', '.join(get_args(LogLevel))}")
    wanted = level.lower() if level is not None else None
    answer = client.set_log_level(wanted) if wanted or reset else client.log_level()
    stdout().print(answer["level"])


def _confirm(plugin_id: str) -> None:
    if not sys.stdin.isatty():
        raise UsageError("not_confirmed", f"{plugin_id} would be removed with its folder", "say so with --yes")
    typer.confirm(f"Remove {plugin_id} with its folder and its releases?", abort=True, err=True)


def _find(client: Client, name: str) -> str:
    return resolve_served(name, [read(PluginStatus, document) for document in client.plugins()])


def building(client: Client, plugin_id: str | None = None) -> str | None:
    """The last output line of an environment's build: for the given plugin, or for any plugin, preceded by its id."""
    for status in (read(PluginStatus, document) for document in client.plugins()):
        if status.building is not None and plugin_id in (None, status.id):
            return status.building if plugin_id else f"{status.id or status.folder}: {status.building}"
    return None


def report(document: object, expected: str) -> None:
    """Print the plugin's state. Raises `OperatorError` if it is not the one that was asked for."""
    status = read(PluginStatus, document)
    # A plugin that runs on demand may have been stopped again because it was idle.
    if status.state != expected and (status.state, expected) != (SLEEPING, RUNNING):
        raise _not_done(status)
    version = f" {status.version}" if status.version else ""
    release = f", release {status.release}" if status.release and status.state == RUNNING else ""
    tell(one_line(f"{status.id}{version} is {status.state}{release}"))


def _not_done(status: PluginStatus) -> OperatorError:
    because = why_not(status)
    return OperatorError(
        "plugin_not_as_asked",
        f"{status.id} is {status.state}" + (f": {because}" if because else ""),
        f"see 'endpointd status {status.id}' and 'endpointd logs {status.id}'",
    )
