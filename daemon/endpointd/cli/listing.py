"""The tables of `endpointd list` and of `endpointd status` without a name."""

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from endpointd.admin.documents import DaemonStatus
from endpointd.cli.output import plain_table, stdout
from endpointd.humane import duration, moment, plural, size
from endpointd.manifest.findings import one_line
from endpointd.plugins.status import PluginStatus

_STYLES = {
    "RUNNING": "green",
    "SLEEPING": "green",
    "STOPPED": "dim",
    "FATAL": "bold red",
    "REFUSED": "bold red",
}
_ON_THE_WAY = "yellow"


def print_list(statuses: Sequence[PluginStatus], now: float) -> None:
    """Print a row for each folder; `now` is in seconds since the epoch."""
    if not statuses:
        stdout().print("the plugins directory is empty", soft_wrap=True)
        return
    headings = ("plugin", "version", "state", "since", "requests", "restarts", "memory", "URL")
    stdout().print(_table(headings, [_row(status, now) for status in statuses]))


def print_overview(daemon: DaemonStatus, statuses: Sequence[PluginStatus], now: float) -> None:
    """Print the state of the daemon, and a line for each plugin."""
    running = daemon.plugins.get("RUNNING", 0)
    sleeping = daemon.plugins.get("SLEEPING", 0)
    lines = (
        f"endpointd {daemon.version}, pid {daemon.pid}, up {duration(now - daemon.since)}"
        f" (since {moment(daemon.since)})",
        f"serves {daemon.base_url}, keeps its state in {daemon.state_directory}",
        f"{running} of {plural(len(statuses), 'plugin')} running" + (f", {sleeping} sleeping" if sleeping else ""),
    )
    for line in lines:
        stdout().print(Text(one_line(line)), soft_wrap=True)
    if statuses:
        rows = [(_name(status), state_text(status), Text(_remark(status, now))) for status in statuses]
        stdout().print(_table(("plugin", "state", ""), rows))


def state_text(status: PluginStatus) -> Text:
    """The state in its colour, how many of its workers answer if not all do, and that a new one is on its way, or that
    the one in the folder is of no use."""
    style = _STYLES.get(status.state, _ON_THE_WAY) if not status.behind else _ON_THE_WAY
    remarks = [
        status.shortage,
        "replacing" if status.replacing else "",
        "an older version" if status.behind else "",
    ]
    told = ", ".join(remark for remark in remarks if remark)
    return Text(one_line(status.state) + (f" ({told})" if told else ""), style=style)


def why_not(status: PluginStatus) -> str:
    """In one line, why a plugin does not run as it should; empty if it does."""
    if status.trouble is not None:
        return f"{status.trouble.message} [{status.trouble.code}]"
    return status.findings[0] if status.findings else ""


def _table(headings: Sequence[str], rows: Sequence[Sequence[Text]]) -> Table:
    table = plain_table(headings, ())
    for row in rows:
        table.add_row(*row)
    return table


def _name(status: PluginStatus) -> Text:
    return Text(one_line(status.id or f"the folder {status.folder!r}"))


def _row(status: PluginStatus, now: float) -> Sequence[Text]:
    texts = (
        "" if status.since is None else duration(now - status.since),
        str(status.requests),
        str(status.restarts),
        "" if status.memory is None else size(status.memory),
        one_line(_first_url(status)),
    )
    return (_name(status), Text(one_line(status.version or "")), state_text(status), *map(Text, texts))


def _first_url(status: PluginStatus) -> str:
    urls = list(dict.fromkeys(interface.url for interface in status.interfaces))
    more = f" (+{len(urls) - 1})" if len(urls) > 1 else ""
    return urls[0] + more if urls else ""


def _remark(status: PluginStatus, now: float) -> str:
    reason = status.building or why_not(status)
    if reason:
        return one_line(reason)
    return "" if status.since is None else f"for {duration(now - status.since)}"
