"""Builds environments without the daemon, in the place where the daemon looks for them."""

import asyncio
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from endpointd.cli.checking import content_of
from endpointd.cli.output import is_quiet, report_error, report_output, tell
from endpointd.environments.declared import needs_of
from endpointd.environments.service import Environments, environments_of
from endpointd.errors import OperatorError, UsageError
from endpointd.folders.folder import PluginFolder
from endpointd.manifest.findings import Finding, Severity, one_line
from endpointd.manifest.reading import read_plugin
from endpointd.plugins.loading import order_for
from endpointd.settings.settings import Settings
from endpointd.supervisor.reaper import reaper
from endpointd.supervisor.worker import StartFailed, WorkerOrder

LINES = 200
"""The most lines of uv's output that are printed for a failed build."""


def build_all(settings: Settings, folders: Sequence[Path]) -> int:
    """Build all environments one after the other, even if one fails; returns the exit status."""
    return asyncio.run(_build_all(settings, folders))


async def _build_all(settings: Settings, folders: Sequence[Path]) -> int:
    environments = environments_of(lambda: settings)
    failed = 0
    reaper.start()
    try:
        for folder in folders:
            try:
                name, order = await asyncio.to_thread(_order_of, settings, folder)
                tell(one_line(f"{name}: {await _build(environments, order)}"))
            except OperatorError as error:
                report_error(error)
                failed = 1
    finally:
        await environments.close()
        await reaper.stop()
    return failed


async def _build(environments: Environments, order: WorkerOrder) -> str:
    """Build one environment; returns the outcome. With `--quiet`, uv's output is only printed if the build fails."""
    unsaid: deque[str] = deque(maxlen=LINES)
    if order.needs is None:
        return "needs no environment"
    try:
        key = await environments.key_of(order)
        if await environments.find(order) is not None:
            return f"the environment {key} is there"
        await environments.build(order, unsaid.append if is_quiet() else report_output)
    except StartFailed as error:
        for line in unsaid:
            report_output(line)
        raise OperatorError(
            "environment_unbuilt", f"{order.folder}: {error.message} [{error.code}]", "see above"
        ) from error
    return f"the environment {key} is built"


def _order_of(settings: Settings, folder: Path) -> tuple[str, WorkerOrder]:
    """The plugin's id, and the same order for its environment as the daemon would make. Raises `OperatorError`."""
    if not folder.is_dir():
        raise UsageError(
            "not_a_directory", f"{folder} is not a directory", "name the folder that holds the plugin's manifest.yaml"
        )
    reading = read_plugin(PluginFolder(folder))
    if reading.plugin is None:
        raise _invalid(folder, reading.findings)
    needs, findings = needs_of(folder, reading.plugin, content_of(folder))
    if findings:
        raise _invalid(folder, findings)
    limits = settings.for_plugin(reading.plugin.id)
    order = order_for(folder, reading.plugin, limits, development=settings.development, needs=needs)
    return reading.plugin.id, order


def _invalid(folder: Path, findings: Sequence[Finding]) -> OperatorError:
    errors = "; ".join(str(finding) for finding in findings if finding.severity is Severity.ERROR)
    return OperatorError("plugin_invalid", f"{folder} cannot be served: {errors}", "see 'endpointd check'")
