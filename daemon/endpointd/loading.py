"""A plugin as an order for a worker, and a worker that only loads it and ends."""

import asyncio
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from endpointd.manifest.findings import Finding, Severity
from endpointd.manifest.model import Plugin
from endpointd.settings import PluginLimits
from endpointd.supervisor.worker import StartFailed, Worker, WorkerOrder

_KEY = "extra.python.source"
_LAST_LINES = 5


def order_for(folder: Path, plugin: Plugin, limits: PluginLimits, *, development: bool) -> WorkerOrder:
    return WorkerOrder(
        folder=folder.resolve(),
        sources=tuple((source, _KEY) for source in plugin.sources),
        environment=limits.env,
        concurrency=limits.concurrency,
        development=development,
        clock_start=limits.clock_start,
        clock_kill=limits.clock_kill,
    )


def load_once(folder: Path, plugin: Plugin) -> list[Finding]:
    """Load the plugin in a worker of its own, with default limits, and end it. What is wrong with its code is
    returned."""
    return asyncio.run(_load_once(order_for(folder, plugin, PluginLimits(), development=True)))


async def _load_once(order: WorkerOrder) -> list[Finding]:
    lines: deque[str] = deque(maxlen=_LAST_LINES)
    worker = Worker(order, lines.append, lambda record: lines.append(record.text), _ignore, _ignore)
    try:
        await worker.start()
    except StartFailed as error:
        if error.problems:
            return [finding_of(problem) for problem in error.problems]
        return [_failure(error, lines)]
    await worker.drain(order.clock_kill)
    return []


def _ignore(*_news: object) -> None:
    """A worker without requests has no other news."""


def finding_of(problem: Mapping[str, Any]) -> Finding:
    """A problem that a worker has reported. It is not trusted to have the right types."""
    line = problem.get("line")
    return Finding(
        severity=Severity.ERROR,
        code=str(problem.get("code", "load_failed")),
        message=str(problem.get("message", "the plugin cannot be loaded")),
        file=str(problem["file"]) if problem.get("file") else None,
        line=line if isinstance(line, int) else None,
        key=str(problem["key"]) if problem.get("key") else None,
        remedy=str(problem.get("remedy", "")),
    )


def _failure(error: StartFailed, lines: deque[str]) -> Finding:
    said = f"; its last output: {' | '.join(lines)}" if lines else ""
    remedy = "look for what ends or blocks the process while the sources are imported"
    return Finding(Severity.ERROR, error.code, f"{error.message}{said}", None, None, _KEY, remedy)
