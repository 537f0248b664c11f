"""The output of `endpointd serve` for people, when the plugins have started or failed."""

import contextlib
from collections.abc import Sequence

from rich.text import Text

from endpointd.cli.output import stdout
from endpointd.manifest.findings import one_line
from endpointd.plugins.reports import PluginReport


def announce(url: str, reports: Sequence[PluginReport]) -> None:
    """Print the plugins that are served, with their URLs, then those that are not, with the reasons.

    The daemon must go on even if stdout is a closed pipe, for which rich raises SystemExit.
    """
    with contextlib.suppress(OSError, SystemExit):
        _print(url, reports)


def _print(url: str, reports: Sequence[PluginReport]) -> None:
    console = stdout()
    served = [report for report in reports if not report.reasons]
    # Not a table, because a URL that is wrapped in a cell cannot be copied.
    for report in served:
        console.print(_describe_served(report), soft_wrap=True)
    for report in reports:
        if report.reasons:
            console.print(_describe_refused(report), soft_wrap=True)
    summary = f"{len(served)} of {len(reports)} plugins served on {url} (Ctrl-C ends)"
    console.print(Text(summary, style="bold"), soft_wrap=True)


def _by_url(report: PluginReport) -> dict[str, list[str]]:
    """The methods of each URL, so that a URL is one line."""
    urls: dict[str, list[str]] = {}
    for method, location in report.interfaces:
        urls.setdefault(location, []).append(method)
    return urls


def _describe_served(report: PluginReport) -> Text:
    urls = [(",".join(methods), one_line(location)) for location, methods in _by_url(report).items()]
    width = max((len(methods) for methods, _ in urls), default=0)
    lines = [f"\n  {methods:{width}}  {location}" for methods, location in urls]
    return Text.assemble((one_line(report.plugin or report.folder), "bold"), *lines)


def _describe_refused(report: PluginReport) -> Text:
    lines = [f"\n  {one_line(reason)}" for reason in report.reasons]
    name = one_line(report.plugin or f"the folder {report.folder!r}")
    outcome = ("is not served:", "bold red")
    if report.runs:
        outcome = ("runs, but answers nowhere:", "bold yellow")
    elif report.is_building:
        outcome = ("is not served yet:", "bold yellow")
    return Text.assemble((f"{name} {outcome[0]}", outcome[1]), *lines)
