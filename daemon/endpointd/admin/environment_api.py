"""The API's routes for environments."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from endpointd.admin.control import EnvironmentControl
from endpointd.admin.json_response import Json
from endpointd.plugins.status import EnvironmentStatus

_ENVIRONMENTS = "/api/v1/environments"


class _PruneQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    dry_run: bool = Field(default=False, description="only tell what would be removed")


def environment_routes(control: EnvironmentControl) -> APIRouter:
    api = APIRouter()

    @api.get(_ENVIRONMENTS, response_model=list[EnvironmentStatus], summary="The environments that are kept")
    async def environments() -> Response:
        return Json([one.as_dict() for one in await control.environments()])

    @api.post(
        f"{_ENVIRONMENTS}/prune",
        response_model=list[EnvironmentStatus],
        summary="Remove those that no plugin needs; answers with what was removed",
    )
    async def prune(query: Annotated[_PruneQuery, Query()]) -> Response:
        return Json([one.as_dict() for one in await control.prune_environments(dry_run=query.dry_run)])

    return api
