"""Warns of each `async def _invoke`, which is served here but which Dify cannot call. Pure.

The sources are parsed and not run. A source that cannot be parsed gets no warning here; importing it will fail.
"""

import ast
from collections.abc import Iterator

from endpointd.manifest.files import FileProblem, PluginFiles
from endpointd.manifest.findings import Finding, Place, Report
from endpointd.manifest.model import Plugin


def async_warnings(plugin: Plugin, files: PluginFiles) -> tuple[Finding, ...]:
    """A warning for each async `_invoke` in the plugin's sources."""
    report = Report()
    for source in plugin.sources:
        for line in _async_lines(source, files):
            message = "Dify cannot call an async function; endpointd runs it as a task"
            remedy = "write 'def _invoke' to run there"
            report.warning(Place(source, line), "invoke_async", message, remedy)
    return report.findings


def _async_lines(source: str, files: PluginFiles) -> Iterator[int]:
    try:
        tree = ast.parse(files.read(source))
    except (FileProblem, SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            yield from (
                each.lineno for each in node.body if isinstance(each, ast.AsyncFunctionDef) and each.name == "_invoke"
            )
