"""Makes the order with which a plugin's worker is started, and loads a plugin once, in a worker that then ends."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from endpointd.environments.needs import Needs
from endpointd.errors import OperatorError, UsageError
from endpointd.manifest.findings import Finding, Severity, finding_of
from endpointd.manifest.model import Plugin
from endpointd.plugins.catalog import Entry
from endpointd.sessions.caller import Caller
from endpointd.settings.plugin_limits import PluginLimits
from endpointd.settings.settings import Settings
from endpointd.supervisor.limits import ProcessLimits
from endpointd.supervisor.provision import Provider
from endpointd.supervisor.users import find_account
from endpointd.supervisor.worker import StartFailed, Worker, WorkerOrder

_KEY = "extra.python.source"


def order_for(
    folder: Path,
    plugin: Plugin,
    limits: PluginLimits,
    *,
    development: bool,
    release: str | None = None,
    needs: Needs | None = None,
) -> WorkerOrder:
    """The order for workers of `plugin`, whose files are in `folder`. Raises `OperatorError` if the user that it is to
    run as does not exist, or for a path that is not UTF-8."""
    expect_sayable(folder, plugin)
    return WorkerOrder(
        folder=folder.resolve(),
        sources=tuple((source, _KEY) for source in plugin.sources),
        environment=limits.env,
        concurrency=limits.concurrency,
        concurrency_async=limits.concurrency_async,
        development=development,
        clock_start=limits.clock_start,
        clock_kill=limits.clock_kill,
        clock_ping=limits.clock_ping,
        limits=ProcessLimits(limits.limit_files, limits.limit_memory, limits.limit_processes, limits.nice),
        account=find_account(limits.user, limits.group),
        caller=Caller(plugin.id, plugin.permissions),
        release=release,
        needs=needs,
        clock_build=limits.clock_build,
        value_error_is_404=limits.value_error_is_404,
    )


def expect_sayable(folder: Path, plugin: Plugin) -> None:
    """Raise `UsageError` if a path is not UTF-8, because it could not be sent to a worker then."""
    for name in (str(folder.resolve()), *plugin.sources):
        try:
            name.encode()
        except UnicodeEncodeError:
            raise UsageError(
                "path_encoding", f"the path {name!r} is not UTF-8", "give the file or folder a name that is UTF-8"
            ) from None


def refused_if_unrunnable(entry: Entry, settings: Settings) -> Entry:
    """The entry; without its plugin, and with a finding, if no worker can run it: the settings name a user that does
    not exist, or a path is not UTF-8."""
    if entry.plugin is None:
        return entry
    limits = settings.for_plugin(entry.plugin.id)
    try:
        find_account(limits.user, limits.group)
        if entry.root is not None:
            expect_sayable(entry.root, entry.plugin)
    except OperatorError as error:
        finding = Finding(Severity.ERROR, error.code, error.message, None, None, None, error.remedy)
        return replace(entry, plugin=None, findings=(*entry.findings, finding))
    return entry


def load_once(
    folder: Path, plugin: Plugin, needs: Needs | None, provide: Callable[[], Provider], output: Callable[[str], None]
) -> list[Finding]:
    """Load the plugin in a worker of its own, with default limits, and end the worker. Returns what is wrong with it.

    `output` is called with each line that uv or the plugin writes or logs meanwhile. `provide` is called in the event
    loop and returns the provider of the worker's interpreter. Runs an event loop; blocking.
    """
    order = order_for(folder, plugin, PluginLimits(), development=True, needs=needs)
    return asyncio.run(_load_once(order, provide, output))


async def _load_once(
    order: WorkerOrder, provide: Callable[[], Provider], output: Callable[[str], None]
) -> list[Finding]:
    provider = provide()
    try:
        python = await provider.find(order) or await provider.build(order, output)
    except StartFailed as error:
        return [Finding(Severity.ERROR, error.code, error.message, None, None, None, "")]
    worker = Worker(order, output, lambda record: output(record.text), _ignore, _ignore)
    try:
        await worker.start(python)
    except StartFailed as error:
        if error.problems:
            return [finding_of(problem) for problem in error.problems]
        return [_failure(error)]
    await worker.drain(order.clock_kill)
    return []


def _ignore(*_news: object) -> None:
    """For the callbacks about finished and cancelled requests: this worker gets no requests."""


def _failure(error: StartFailed) -> Finding:
    remedy = "look for what ends or blocks the process while the sources are imported"
    return Finding(Severity.ERROR, error.code, error.message, None, None, _KEY, remedy)
