"""The API's routes for endpoints. They read requests, call `EndpointControl`, and write documents.

Responses never contain the values in a request, not even to say what is wrong with them: they may be secrets.
"""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from endpointd.admin.bodies import BoundedRoute
from endpointd.admin.json_response import Json
from endpointd.admin.parameters import PluginId
from endpointd.callers.rules import rules_in
from endpointd.endpoints.declared import MOST, Declared
from endpointd.endpoints.service import EndpointControl
from endpointd.endpoints.views import AppliedView, EndpointView, SettingView

_ENDPOINTS = "/api/v1/endpoints"
_ENDPOINT = _ENDPOINTS + "/{endpoint_id}"


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)


_Settings = Annotated[
    dict[str, Any], Field(description="by the settings' names; null is no value, `********` a secret as it was")
]
_Plugin = Annotated[str, Field(min_length=1, max_length=300, description='"author/name"')]
_HookId = Annotated[str | None, Field(description="the word behind /e/; null: one by chance")]


_AllowFrom = Annotated[
    Any, Field(description='networks whose clients may call, such as ["192.0.2.0/24", "unix"]; [] as the settings say')
]
_Rate = Annotated[Any, Field(description='such as "10/s", "100/min burst 20", "unlimited"; "" as the settings say')]
_Cors = Annotated[
    Any,
    Field(
        description="pages of other origins that may call: an object with origins, methods, headers, expose,"
        ' credentials, max_age, or "none"; {} as the settings say'
    ),
]


class _Callers(_Body):
    """The rules for who may call an endpoint. Their faults are reported together with those of the endpoint."""

    allow_from: _AllowFrom = None
    rate: _Rate = None
    cors: _Cors = None

    @property
    def callers(self) -> dict[str, Any]:
        return rules_in({"allow_from": self.allow_from, "rate": self.rate, "cors": self.cors})


class NewEndpoint(_Callers):
    """A new endpoint."""

    plugin: _Plugin
    name: str
    hook_id: _HookId = None
    enabled: bool = True
    settings: _Settings = Field(default_factory=dict, repr=False)


class EndpointChange(_Callers):
    """Changes of an endpoint. Whatever is missing or null stays as it is; within `settings`, null removes a value."""

    name: str | None = None
    hook_id: str | None = None
    enabled: bool | None = None
    settings: _Settings = Field(default_factory=dict, repr=False)


class DeclaredEndpoints(_Body):
    """All endpoints that a file declares."""

    endpoints: list[NewEndpoint] = Field(max_length=MOST)


class _ListQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    plugin: str | None = Field(default=None, description="only those of this plugin")


class _ApplyQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    dry_run: bool = Field(default=False, description="only tell what would change")


def endpoint_routes(endpoints: EndpointControl) -> APIRouter:
    router = APIRouter(route_class=BoundedRoute)
    _add_reading(router, endpoints)
    _add_changes(router, endpoints)
    _add_applying(router, endpoints)
    return router


def _add_reading(router: APIRouter, endpoints: EndpointControl) -> None:
    @router.get(_ENDPOINTS, response_model=list[EndpointView], summary="Every endpoint, the oldest first")
    async def list_endpoints(query: Annotated[_ListQuery, Query()]) -> Response:
        return _many(endpoints.list(query.plugin))

    @router.get(_ENDPOINT, response_model=EndpointView, summary="One endpoint, with its secrets masked")
    async def get_endpoint(endpoint_id: str) -> Response:
        return Json(endpoints.get(endpoint_id).as_dict())

    @router.get(
        "/api/v1/plugins/{author}/{name}/settings",
        response_model=list[SettingView],
        summary="The settings that endpoints of this plugin have",
    )
    async def plugin_settings(plugin_id: PluginId) -> Response:
        return _many(endpoints.settings(plugin_id))


def _add_changes(router: APIRouter, endpoints: EndpointControl) -> None:
    @router.post(_ENDPOINTS, status_code=201, response_model=EndpointView, summary="Make an endpoint")
    async def create_endpoint(wanted: NewEndpoint) -> Response:
        made = await endpoints.create(
            wanted.plugin,
            wanted.name,
            wanted.settings,
            hook_id=wanted.hook_id,
            enabled=wanted.enabled,
            callers=wanted.callers,
        )
        return Json(made.as_dict(), status_code=201)

    @router.patch(_ENDPOINT, response_model=EndpointView, summary="Change what is submitted, and nothing else")
    async def change_endpoint(endpoint_id: str, change: EndpointChange) -> Response:
        changed = await endpoints.update(
            endpoint_id,
            change.settings,
            name=change.name,
            hook_id=change.hook_id,
            enabled=change.enabled,
            callers=change.callers,
        )
        return Json(changed.as_dict())

    @router.delete(_ENDPOINT, status_code=204, response_class=Response, summary="Remove it for good")
    async def delete_endpoint(endpoint_id: str) -> Response:
        await endpoints.delete(endpoint_id)
        return Response(status_code=204)

    @router.post(_ENDPOINT + "/enable", response_model=EndpointView, summary="Let it answer")
    async def enable_endpoint(endpoint_id: str) -> Response:
        return Json((await _switch(endpoints, endpoint_id, enabled=True)).as_dict())

    @router.post(_ENDPOINT + "/disable", response_model=EndpointView, summary="Let it answer nobody, and keep it")
    async def disable_endpoint(endpoint_id: str) -> Response:
        return Json((await _switch(endpoints, endpoint_id, enabled=False)).as_dict())


async def _switch(endpoints: EndpointControl, endpoint_id: str, *, enabled: bool) -> EndpointView:
    return await endpoints.update(endpoint_id, {}, name=None, hook_id=None, enabled=enabled)


def _add_applying(router: APIRouter, endpoints: EndpointControl) -> None:
    @router.post(
        _ENDPOINTS + "/apply",
        response_model=AppliedView,
        summary="Let the endpoints that are declared be these, and no others; all of it or, when one is wrong, nothing",
    )
    async def apply_endpoints(body: DeclaredEndpoints, query: Annotated[_ApplyQuery, Query()]) -> Response:
        declared = [
            Declared(one.plugin, one.name, one.hook_id, one.enabled, one.settings, one.callers)
            for one in body.endpoints
        ]
        return Json((await endpoints.apply(declared, dry_run=query.dry_run)).as_dict())


def _many(views: Sequence[EndpointView] | Sequence[SettingView]) -> Response:
    return Json([one.as_dict() for one in views])
