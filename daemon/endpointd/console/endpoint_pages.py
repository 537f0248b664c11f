"""The pages for endpoints: list, create, show, edit, enable and disable, delete, try."""

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from endpointd.console.caller_fields import CALLER_FIELDS, LABELS, caller_texts, read_callers
from endpointd.console.door import Door, Form
from endpointd.console.fields import MODEL_TYPES, Field, entered_in_vain, fields, read
from endpointd.console.language import languages_of
from endpointd.console.pages import PREFIX
from endpointd.console.parts import Parts
from endpointd.console.sessions import Session
from endpointd.console.shell import Shell
from endpointd.console.targets import targets_of
from endpointd.console.try_pages import tried
from endpointd.endpoints.errors import EndpointDeclared, EndpointInvalid
from endpointd.endpoints.views import EndpointView, SettingView
from endpointd.errors import OperatorError
from endpointd.manifest.values import Fault

LIST = f"{PREFIX}/endpoints"
_OWN = ("name", "hook_id")
"""The form's fields that do not depend on the plugin."""


class EndpointPages:
    def __init__(self, parts: Parts, shell: Shell, door: Door) -> None:
        self._parts = parts
        self._endpoints = parts.endpoints
        self._shell = shell
        self._door = door

    def routes(self) -> list[Route]:
        one, guarded = f"{LIST}/{{id}}", self._door.guarded
        return [
            Route(LIST, guarded(self.show_all)),
            Route(f"{LIST}/new", guarded(self.new)),
            Route(f"{LIST}/new", guarded(self.create), methods=["POST"]),
            Route(one, guarded(self.show)),
            Route(f"{one}/edit", guarded(self.edit)),
            Route(f"{one}/edit", guarded(self.change), methods=["POST"]),
            Route(f"{one}/enable", guarded(self.enable), methods=["POST"]),
            Route(f"{one}/disable", guarded(self.disable), methods=["POST"]),
            Route(f"{one}/delete", guarded(self.ask_to_delete)),
            Route(f"{one}/delete", guarded(self.delete), methods=["POST"]),
            Route(f"{one}/try", guarded(self.attempt), methods=["POST"]),
        ]

    # Looking

    async def show_all(self, request: Request, session: Session, _: Form) -> Response:
        return await self._shell.page(
            request, session, "endpoints.html", endpoints=self._endpoints.list(), plugins=self._plugin_ids()
        )

    async def show(self, request: Request, session: Session, _: Form) -> Response:
        view = self._endpoints.get(_id_in(request))
        settings = self._settings(view)
        return await self._shell.page(
            request,
            session,
            "endpoint.html",
            endpoint=view,
            fields=fields(settings, view.settings, _languages(request)),
            callers=[(LABELS[name], text) for name, text in caller_texts(view).items()],
            targets=targets_of(view.urls, self._parts.base()),
        )

    def _plugin_ids(self) -> list[str]:
        return sorted(status.id for status in self._parts.control.statuses() if status.id is not None)

    def _settings(self, view: EndpointView) -> Sequence[SettingView]:
        """The settings that the endpoint's plugin declares; none if the plugin is not served."""
        try:
            return self._endpoints.settings(view.plugin)
        except OperatorError:
            return ()

    # Adding

    async def new(self, request: Request, session: Session, _: Form) -> Response:
        plugin_id = request.query_params.get("plugin", "")
        if not plugin_id:
            return await self._shell.page(request, session, "choose.html", plugins=self._plugin_ids())
        settings = self._endpoints.settings(plugin_id)
        shown = fields(settings, None, _languages(request))
        own = {"name": plugin_id.rpartition("/")[2], "hook_id": "", "enabled": "true"}
        return await self._form(request, session, plugin_id, None, own, shown)

    async def create(self, request: Request, session: Session, form: Form) -> Response:
        plugin_id = form.get("plugin", "")
        settings = self._endpoints.settings(plugin_id)
        given, unread = read(settings, None, form)
        try:
            _refuse(unread)
            made = await self._endpoints.create(
                plugin_id,
                form.get("name", "").strip(),
                given,
                hook_id=form.get("hook_id", "").strip() or None,
                enabled=form.get("enabled") == "true",
                callers=read_callers(form),
            )
        except EndpointInvalid as invalid:
            return await self._again(request, session, form, plugin_id, None, invalid.faults)
        session.note("good", f"The endpoint “{made.name}” was created.")
        return RedirectResponse(f"{LIST}/{made.id}", 303)

    # Changing

    async def edit(self, request: Request, session: Session, _: Form) -> Response:
        view = self._owned(request)
        own = {"name": view.name, "hook_id": view.hook_id, "enabled": "true" if view.enabled else ""}
        own |= caller_texts(view)
        shown = fields(self._settings(view), view.settings, _languages(request))
        return await self._form(request, session, view.plugin, view, own, shown)

    async def change(self, request: Request, session: Session, form: Form) -> Response:
        view = self._owned(request)
        settings = self._settings(view)
        given, unread = read(settings, view.settings, form)
        try:
            _refuse((*_overtaken(view, form), *unread))
            changed = await self._endpoints.update(
                view.id,
                given,
                name=form.get("name", "").strip(),
                hook_id=form.get("hook_id", "").strip() or None,
                enabled=form.get("enabled") == "true",
                callers=read_callers(form),
            )
        except EndpointInvalid as invalid:
            return await self._again(request, session, form, view.plugin, view, invalid.faults)
        session.note("good", f"The changes of “{changed.name}” were saved. They hold from the next request on.")
        return RedirectResponse(f"{LIST}/{changed.id}", 303)

    async def enable(self, request: Request, session: Session, _: Form) -> Response:
        return await self._switch(request, session, enabled=True)

    async def disable(self, request: Request, session: Session, _: Form) -> Response:
        return await self._switch(request, session, enabled=False)

    async def _switch(self, request: Request, session: Session, *, enabled: bool) -> Response:
        view = self._owned(request)
        back = f"{LIST}/{view.id}"
        try:
            await self._endpoints.update(view.id, {}, name=None, hook_id=None, enabled=enabled)
        except OperatorError as error:
            return self._shell.done(request, session, back, "bad", str(error))
        said = "answers again." if enabled else "is switched off and answers nobody."
        return self._shell.done(request, session, back, "good", f"“{view.name}” {said}")

    async def ask_to_delete(self, request: Request, session: Session, _: Form) -> Response:
        return await self._shell.page(request, session, "delete.html", endpoint=self._owned(request))

    async def delete(self, request: Request, session: Session, _: Form) -> Response:
        view = self._owned(request)
        await self._endpoints.delete(view.id)
        session.note("good", f"The endpoint “{view.name}” was deleted.")
        return RedirectResponse(LIST, 303)

    async def attempt(self, request: Request, session: Session, form: Form) -> Response:
        view = self._endpoints.get(_id_in(request))
        targets = targets_of(view.urls, self._parts.base())
        return await tried(self._parts, self._shell, request, session, form, targets)

    def _owned(self, request: Request) -> EndpointView:
        """The endpoint in the request's path. Raises `EndpointDeclared` if it comes from a file and so cannot be
        changed here."""
        view = self._endpoints.get(_id_in(request))
        if view.origin == "file":
            raise EndpointDeclared(view.name)
        return view

    async def _again(
        self,
        request: Request,
        session: Session,
        form: Form,
        plugin_id: str,
        endpoint: EndpointView | None,
        faults: Sequence[Fault],
    ) -> Response:
        """The form again, with the submitted values and their faults."""
        settings = self._endpoints.settings(plugin_id) if endpoint is None else self._settings(endpoint)
        faults = (*faults, *entered_in_vain(settings, form))
        values = None if endpoint is None else endpoint.settings
        shown = fields(settings, values, _languages(request), form, faults)
        return await self._form(request, session, plugin_id, endpoint, form, shown, faults)

    async def _form(
        self,
        request: Request,
        session: Session,
        plugin_id: str,
        endpoint: EndpointView | None,
        own: Mapping[str, Any],
        shown: Sequence[Field],
        faults: Sequence[Fault] = (),
    ) -> Response:
        return await self._shell.page(
            request,
            session,
            "endpoint_form.html",
            422 if faults else 200,
            plugin=plugin_id,
            endpoint=endpoint,
            own=own,
            fields=shown,
            faults=faults,
            caller_fields=CALLER_FIELDS,
            served=endpoint is None or _is_served(endpoint),
            seen=None if endpoint is None else _state_of(endpoint),
            has_callers=any(own.get(name) for name in LABELS) or any(fault.key in LABELS for fault in faults),
            by_key={key: [fault for fault in faults if fault.key == key] for key in (*_OWN, *LABELS)},
            labels={field.name: str(field.label) for field in shown} | LABELS | {"name": "Name", "hook_id": "Hook ID"},
            base=self._parts.base(),
            model_types=MODEL_TYPES,
        )


def _refuse(faults: Sequence[Fault]) -> None:
    if faults:
        raise EndpointInvalid(faults)


def _overtaken(view: EndpointView, form: Form) -> tuple[Fault, ...]:
    """A fault if the endpoint was changed since the form was opened; else nothing. The form contains all values, so
    saving it would undo that change."""
    if form.get("seen", _state_of(view)) == _state_of(view):
        return ()
    message = "the endpoint was changed elsewhere since this form was opened"
    remedy = "save again to put what is below in its place, or cancel to see what it is now"
    return (Fault("", "endpoint_overtaken", message, remedy),)


def _is_served(view: EndpointView) -> bool:
    return all(fault.code != "plugin_unknown" for fault in view.faults)


def _state_of(view: EndpointView) -> str:
    return repr(view.updated_at)


def _id_in(request: Request) -> str:
    return str(request.path_params["id"])


def _languages(request: Request) -> tuple[str, ...]:
    return languages_of(request.headers.get("accept-language", ""))
