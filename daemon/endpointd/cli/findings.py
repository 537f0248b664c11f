"""The output of `endpointd check` for people: the findings, then the routes or the verdict."""

from rich.table import Table
from rich.text import Text

from endpointd.cli.checking import Check
from endpointd.cli.output import plain_table, stdout
from endpointd.manifest.findings import Finding, Severity, one_line
from endpointd.manifest.model import Plugin

_STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "bold yellow"}


def print_check(check: Check) -> None:
    """Print the findings, a summary and, if the plugin works, its routes and the settings that they still need."""
    console = stdout()
    for finding in check.findings:
        console.print(_describe(finding), soft_wrap=True)
    console.print(_summary(check), soft_wrap=True)
    if check.ok and check.plugin is not None:
        console.print(_routes(check.plugin))
        if check.plugin.needs_settings:
            console.print(_requirement(check.plugin), soft_wrap=True)


def _describe(finding: Finding) -> Text:
    place = ":".join(str(part) for part in (finding.file, finding.line) if part is not None)
    heading = [part for part in (place, finding.key) if part]
    return Text.assemble(
        (f"{finding.severity.value}: ", _STYLES[finding.severity]),
        (one_line(f"{': '.join(heading)}: ") if heading else "", "bold"),
        one_line(finding.message),
        f"\n  {one_line(finding.remedy)}",
        (f" [{finding.code}]", "dim"),
    )


def _summary(check: Check) -> Text:
    name = one_line(check.plugin.identity) if check.plugin else "this folder"
    errors, warnings = check.count(Severity.ERROR), check.count(Severity.WARNING)
    counted = f"{_plural(errors, 'error')}, {_plural(warnings, 'warning')}"
    if check.ok:
        return Text.assemble((f"{name} can be served", "bold green"), f" ({counted})")
    return Text.assemble((f"{name} cannot be served", "bold red"), f" ({counted})")


def _requirement(plugin: Plugin) -> Text:
    names = one_line(", ".join(plugin.required_settings))
    create = f"endpointd endpoint create {one_line(plugin.id)} --name NAME"
    text = f"it gets no endpoint of its own, because it requires settings: {names}; once it is served, make one with"
    return Text(f"{text} '{create}', or give them to 'endpointd dev' with --set", style="bold yellow")


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _routes(plugin: Plugin) -> Table:
    rows = [
        (one.method, one_line(one.path), one_line(one.source) + (" (hidden)" if one.hidden else ""))
        for one in plugin.interfaces
    ]
    return plain_table(("method", "path", "source"), rows)
