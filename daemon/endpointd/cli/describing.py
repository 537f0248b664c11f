"""The output of `endpointd status NAME`: everything that is known about one plugin."""

from collections.abc import Iterator

from rich.text import Text

from endpointd.cli.listing import state_text
from endpointd.cli.output import stdout
from endpointd.humane import duration, moment, size
from endpointd.manifest.findings import one_line
from endpointd.plugins.status import FailureStatus, PluginStatus, WorkerStatus

_WIDTH = 10


def print_plugin(status: PluginStatus, now: float) -> None:
    """Print the status; `now` is in seconds since the epoch. Not as a table, because a URL that is wrapped in a cell
    cannot be copied."""
    for line in _lines(status, now):
        stdout().print(line, soft_wrap=True)


def _lines(status: PluginStatus, now: float) -> Iterator[Text]:
    version = f" {status.version}" if status.version else ""
    yield Text(one_line((status.id or f"the folder {status.folder!r}") + version), style="bold")
    since = "" if status.since is None else f" since {moment(status.since)} ({duration(now - status.since)})"
    yield Text.assemble(_key("state"), state_text(status), since)
    if status.replacing:
        yield _line("replacing", status.replacing)
    if status.building:
        yield _line("building", status.building)
    yield _line("folder", status.folder)
    if status.behind:
        yield _line("", "what is in it cannot be served; an older version answers")
    yield from _release(status)
    yield _line("requests", f"{status.requests}, {status.in_flight} in flight, {status.queued} waiting")
    yield _line("restarts", str(status.restarts))
    for worker in status.workers:
        yield from _worker(worker, status.release)
    if status.failure is not None:
        yield from _failure(status.failure, now)
    for number, finding in enumerate(status.findings):
        yield _line("" if number else "findings", finding)
    yield from _urls(status)


def _release(status: PluginStatus) -> Iterator[Text]:
    if status.release is not None:
        yield _line("release", status.release + (" (rolled back to)" if status.pinned else ""))
    for number, digest in enumerate(status.previous_releases):
        yield _line("" if number else "older", digest)


def _worker(worker: WorkerStatus, wanted: str | None) -> Iterator[Text]:
    facts = [f"pid {worker.pid}", f"up {duration(worker.uptime)}"]
    facts += [f"{worker.requests} requests", f"{worker.in_flight} in flight"]
    if worker.memory is not None:
        facts.append(f"memory {size(worker.memory)}")
    if worker.cpu is not None:
        facts.append(f"processor time {worker.cpu:.1f} s")
    yield _line("worker", ", ".join(facts))
    if worker.release is not None and worker.release != wanted:
        yield _line("", f"of the release {worker.release}")


def _failure(failure: FailureStatus, now: float) -> Iterator[Text]:
    yield _line("failure", f"{failure.message} [{failure.code}]")
    over = f"; over since {moment(failure.over_at)}" if failure.over_at is not None else ""
    yield _line("", f"{moment(failure.at)} ({duration(now - failure.at)} ago){over}")
    for problem in failure.problems:
        yield _line("", problem)
    if failure.lines:
        yield _line("", "its last output:")
    for record in failure.lines:
        for line in record.splitlines():
            yield Text(" " * (_WIDTH + 2) + one_line(line), style="dim")


def _urls(status: PluginStatus) -> Iterator[Text]:
    methods: dict[str, list[str]] = {}
    for interface in status.interfaces:
        methods.setdefault(interface.url, []).append(interface.method)
    for number, (url, names) in enumerate(methods.items()):
        yield _line("" if number else "URLs", f"{','.join(names)} {url}")


def _key(key: str) -> tuple[str, str]:
    return f"{key:{_WIDTH}}", "dim"


def _line(key: str, text: str) -> Text:
    return Text.assemble(_key(key), one_line(text))
