"""The pages for plugins, and the actions of their buttons."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from endpointd.admin.followers import Followers
from endpointd.admin.names import id_of
from endpointd.console.chart import Chart, chart
from endpointd.console.door import Door, Form
from endpointd.console.log_stream import TAIL, log_stream
from endpointd.console.pages import PREFIX, plugin_path
from endpointd.console.parts import Parts
from endpointd.console.requests import is_by_hand
from endpointd.console.samples import KEPT, Sample, Summary, summary
from endpointd.console.sessions import Session
from endpointd.console.shell import Shell
from endpointd.console.targets import targets_of
from endpointd.console.try_pages import tried
from endpointd.errors import OperatorError
from endpointd.plugins.status import InterfaceStatus, PluginStatus

_STEP = 5
"""Seconds per point of a chart."""

_DONE = {
    "start": "{} was started and runs.",
    "stop": "{} was stopped.",
    "restart": "{} was restarted and runs.",
    "rollback": "{} runs an older release.",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One folder as a row of a table. `path` is the path of the plugin's page, None if the folder is refused; `spark`
    is a chart of its rate of requests."""

    status: PluginStatus
    summary: Summary
    spark: Chart
    path: str | None

    @property
    def actions(self) -> tuple[str, ...]:
        """The actions for which there are buttons in the present state."""
        if self.path is None:
            return ()
        if self.status.state == "STOPPED":
            return ("start",)
        return ("stop",) if self.status.state == "DRAINING" else ("restart", "stop")


@dataclass(frozen=True, slots=True)
class Charts:
    """Charts of the last minutes of one plugin: requests per second, median latency in ms, memory in MiB."""

    rate: Chart
    latency: Chart
    memory: Chart


class PluginPages:
    def __init__(self, parts: Parts, shell: Shell, door: Door, followers: Followers) -> None:
        self._parts = parts
        self._control = parts.control
        self._shell = shell
        self._door = door
        self._followers = followers

    def routes(self) -> list[Route]:
        plugin = f"{PREFIX}/plugins/{{author}}/{{name}}"
        guarded = self._door.guarded
        return [
            Route(f"{PREFIX}/plugins", guarded(self.show_all)),
            Route(plugin, guarded(self.show)),
            Route(f"{plugin}/log", guarded(self.log)),
            Route(f"{plugin}/try", guarded(self.attempt), methods=["POST"]),
            *(
                Route(f"{plugin}/{action}", guarded(self._acting(action)), methods=["POST"])
                for action in ("start", "stop", "restart", "rollback")
            ),
        ]

    async def show_all(self, request: Request, session: Session, _: Form) -> Response:
        statuses = sorted(self._control.statuses(), key=lambda status: status.id or status.folder)
        known = [(status, self._samples(status)) for status in statuses]
        # In a thread, because with a thousand plugins it takes long, and would block the requests to them.
        rows = await asyncio.to_thread(lambda: [_row(status, samples) for status, samples in known])
        refused = session.take_refused() if is_by_hand(request) else None
        limit = self._parts.limit_package()
        return await self._shell.page(request, session, "plugins.html", rows=rows, refused=refused, limit=limit)

    def _samples(self, status: PluginStatus) -> Sequence[Sample]:
        return () if status.id is None else self._parts.samples.of(status.id)

    async def show(self, request: Request, session: Session, _: Form) -> Response:
        plugin_id = _id_in(request)
        status = self._control.status(plugin_id)
        return await self._shell.page(
            request,
            session,
            "plugin.html",
            row=_row(status, self._samples(status)),
            charts=self._charts(plugin_id),
            lines=self._control.journal(plugin_id).tail(TAIL),
            endpoints=self._parts.endpoints.list(plugin_id),
            targets=targets_of(self._automatic(status), self._parts.base()),
        )

    def _automatic(self, status: PluginStatus) -> Sequence[InterfaceStatus]:
        """The interfaces at the plugin's automatic endpoint."""
        owned = {one.url for view in self._parts.endpoints.list(status.id) for one in view.urls}
        return [one for one in status.interfaces if one.url not in owned]

    def _charts(self, plugin_id: str) -> Charts:
        samples = self._parts.samples.of(plugin_id)
        medians = [sample.median for sample in samples]
        return Charts(
            _rates(samples),
            chart([None if one is None else one * 1000 for one in medians], KEPT, _STEP, 1),
            chart([None if one.memory is None else one.memory / 2**20 for one in samples], KEPT, _STEP, 1),
        )

    async def log(self, request: Request, session: Session, _: Form) -> Response:
        journal = self._control.journal(_id_in(request))
        return log_stream(journal, self._followers, lambda: self._door.is_valid(session))

    async def attempt(self, request: Request, session: Session, form: Form) -> Response:
        status = self._control.status(_id_in(request))
        targets = targets_of(self._automatic(status), self._parts.base())
        return await tried(self._parts, self._shell, request, session, form, targets)

    # Buttons

    def _acting(self, action: str) -> Callable[[Request, Session, Form], Awaitable[Response]]:
        async def act(request: Request, session: Session, form: Form) -> Response:
            plugin_id = _id_in(request)
            try:
                await self._perform(action, plugin_id, form)
            except OperatorError as error:
                return self._shell.done(request, session, _back(form, plugin_id), "bad", str(error))
            return self._shell.done(request, session, _back(form, plugin_id), "good", _DONE[action].format(plugin_id))

        return act

    async def _perform(self, action: str, plugin_id: str, form: Form) -> None:
        match action:
            case "start":
                await self._control.start(plugin_id)
            case "stop":
                await self._control.stop(plugin_id)
            case "restart":
                await self._control.restart(plugin_id)
            case _:
                await self._control.rollback(plugin_id, form.get("release") or None)


def _row(status: PluginStatus, samples: Sequence[Sample]) -> Row:
    return Row(status, summary(samples), _rates(samples), None if status.id is None else plugin_path(status.id))


def _rates(samples: Sequence[Sample]) -> Chart:
    return chart([one.answers / one.seconds if one.seconds else 0.0 for one in samples], KEPT, _STEP, 1)


def _id_in(request: Request) -> str:
    return id_of(request.path_params["author"], request.path_params["name"])


def _back(form: Form, plugin_id: str) -> str:
    """The page from which the form was sent."""
    return f"{PREFIX}/plugins" if form.get("from") == "plugins" else plugin_path(plugin_id)
