"""What `endpointd serve` prints for people when it is known which plugins run."""

from collections.abc import Sequence

from rich.text import Text

from endpointd.cli.output import plain_table, stdout
from endpointd.manifest.findings import one_line
from endpointd.reports import PluginReport


def announce(url: str, reports: Sequence[PluginReport]) -> None:
    """The plugins that are served with their URLs, then those that are not with the reasons."""
    console = stdout()
    served = [report for report in reports if not report.reasons]
    rows = [
        (one_line(report.plugin or report.folder) if first else "", ",".join(methods), one_line(location))
        for report in served
        for first, (location, methods) in _flagged(_by_url(report))
    ]
    if rows:
        console.print(plain_table(("plugin", "method", "url"), rows))
    for report in reports:
        if report.reasons:
            console.print(_describe(report), soft_wrap=True)
    summary = f"{len(served)} of {len(reports)} plugins served on {url} (Ctrl-C ends)"
    console.print(Text(summary, style="bold"), soft_wrap=True)


def _by_url(report: PluginReport) -> dict[str, list[str]]:
    """The methods of each URL, so that a URL is one line."""
    urls: dict[str, list[str]] = {}
    for method, location in report.interfaces:
        urls.setdefault(location, []).append(method)
    return urls


def _flagged(urls: dict[str, list[str]]) -> list[tuple[bool, tuple[str, list[str]]]]:
    return [(place == 0, item) for place, item in enumerate(urls.items())]


def _describe(report: PluginReport) -> Text:
    lines = [f"\n  {one_line(reason)}" for reason in report.reasons]
    name = one_line(report.plugin or f"the folder {report.folder!r}")
    return Text.assemble((f"{name} is not served:", "bold red"), *lines)
