"""Makes the reports about plugins at the start of the daemon, and their statuses at any time."""

from collections.abc import Iterable, Sequence

import structlog

from endpointd.endpoints import endpoint_url
from endpointd.gateway.mount import Mount
from endpointd.manifest.findings import Severity, finding_of
from endpointd.manifest.model import Plugin
from endpointd.plugins.catalog import Entry
from endpointd.plugins.reports import PluginReport
from endpointd.plugins.status import FailureStatus, InterfaceStatus, PluginStatus, WorkerStatus
from endpointd.supervisor.crew import Member, Team
from endpointd.supervisor.failure import Failure
from endpointd.supervisor.state import Stage, State
from endpointd.supervisor.supervisor import Supervisor
from endpointd.supervisor.usage import usage_of

log = structlog.get_logger()

REFUSED = "REFUSED"
"""The state of a folder that cannot be served at all."""

_REPLACING = {
    Stage.REPLACING: "a new worker is starting",
    Stage.PREPARING: "the environment of a new worker is being built",
    Stage.ON_TRIAL: "a new worker has just taken over",
}


def log_reports(reports: Sequence[PluginReport], url: str, *, shown: bool) -> None:
    """Log which plugins run, and which do not and why. Those that run are left out if the reports are also `shown` to
    the operator."""
    for one in reports:
        if one.reasons and one.runs:
            log.warning("plugin.without_endpoint", plugin=one.plugin, reasons=one.reasons)
        elif one.is_building:
            log.info("plugin.building", plugin=one.plugin)
        elif one.reasons:
            log.error("plugin.not_served", folder=one.folder, plugin=one.plugin, reasons=one.reasons)
        elif not shown:
            urls = list(dict.fromkeys(location for _, location in one.interfaces))
            log.info("plugin.served", plugin=one.plugin, urls=urls)
    log.info("ready", url=url, plugins=sum(not one.reasons for one in reports))


def refused_status(entry: Entry) -> PluginStatus:
    """The status of a folder that no plugin is served from."""
    return PluginStatus(entry.folder, None, None, REFUSED, None, findings=errors_of(entry))


def errors_of(entry: Entry) -> tuple[str, ...]:
    return tuple(str(finding) for finding in entry.findings if finding.severity is Severity.ERROR)


def worker_statuses(team: Team | None, now: float) -> tuple[WorkerStatus, ...]:
    """The statuses of the workers that answer. `now` is the event loop's time."""
    return tuple(_worker_status(member, now) for member in team.ready) if team is not None else ()


def _worker_status(member: Member, now: float) -> WorkerStatus:
    worker = member.worker
    assert worker.pid is not None
    assert member.ready_at is not None
    usage = usage_of(worker.pid)
    return WorkerStatus(
        pid=worker.pid,
        release=member.order.release,
        uptime=now - member.ready_at,
        in_flight=worker.in_flight,
        requests=worker.requests,
        memory=usage.memory if usage else None,
        cpu=usage.cpu if usage else None,
    )


def failure_status(failure: Failure | None) -> FailureStatus | None:
    if failure is None:
        return None
    problems = tuple(str(finding_of(problem)) for problem in failure.problems)
    return FailureStatus(failure.code, failure.message, failure.at, problems, failure.lines, failure.over_at)


def interfaces_of(plugin: Plugin, mounts: Iterable[Mount], base: str) -> tuple[InterfaceStatus, ...]:
    """The plugin's interfaces, except hidden ones, at each of its mounted endpoints."""
    return tuple(
        InterfaceStatus(interface.method, endpoint_url(base, mount.endpoint.hook_id, interface.path))
        for mount in mounts
        for interface in plugin.interfaces
        if not interface.hidden
    )


def plugin_status(
    entry: Entry,
    plugin: Plugin,
    supervisor: Supervisor,
    interfaces: tuple[InterfaceStatus, ...],
    *,
    previous: tuple[str, ...],
    pinned: bool,
    behind: bool,
    now: float,
) -> PluginStatus:
    crew = supervisor.crew
    workers = worker_statuses(crew.present, now) if supervisor.life.state is State.RUNNING else ()
    return PluginStatus(
        folder=entry.folder,
        id=plugin.id,
        version=plugin.version,
        state=supervisor.life.state,
        since=supervisor.changed_at,
        release=supervisor.order.release,
        previous_releases=previous,
        pinned=pinned,
        behind=behind,
        worker=workers[0] if workers else None,
        workers=workers,
        workers_wanted=supervisor.workers_wanted,
        replacing=_REPLACING.get(supervisor.life.stage),
        building=supervisor.crew.building,
        in_flight=crew.in_flight,
        queued=supervisor.admission.queued,
        requests=crew.requests,
        restarts=supervisor.restarts,
        failure=failure_status(supervisor.failure),
        findings=errors_of(entry),
        interfaces=interfaces,
    )


def report(status: PluginStatus, why_unmounted: str) -> PluginReport:
    """The report at the start for a plugin with this status."""
    urls = tuple((interface.method, interface.url) for interface in status.interfaces)
    if status.state == REFUSED:
        return PluginReport(status.folder, None, (), status.findings)
    if status.state not in (State.RUNNING, State.SLEEPING):
        return PluginReport(status.folder, status.id, (), _reasons(status), is_building=status.building is not None)
    return PluginReport(status.folder, status.id, urls, (why_unmounted,) if why_unmounted else (), runs=True)


def _reasons(status: PluginStatus) -> tuple[str, ...]:
    failure = status.failure
    if status.building is not None:
        return ("its environment is being built",)
    if failure is None:
        return (f"its worker is {status.state}",)
    return failure.problems or (f"{failure.message} [{failure.code}]", *failure.lines)
