"""The API's routes for tokens. Only the response to a token's creation contains its secret."""

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from endpointd.access.limits import LONGEST_DAYS
from endpointd.access.service import TokenControl
from endpointd.access.views import TokenView
from endpointd.admin.bodies import BoundedRoute
from endpointd.admin.documents import CreatedToken
from endpointd.admin.json_response import Json
from endpointd.store.token_records import TOKEN_NAME

_TOKENS = "/api/v1/tokens"


class NewToken(BaseModel):
    """A new token."""

    model_config = ConfigDict(extra="forbid", strict=True)

    # The constraints are only described here. `TokenControl` checks them, with better error messages.
    name: str = Field(
        description="one word: letters, digits and ._@-", json_schema_extra={"pattern": f"^{TOKEN_NAME.pattern}$"}
    )
    days: int | None = Field(
        default=None,
        description="how long it is good; null: until it is revoked",
        json_schema_extra={"anyOf": [{"type": "integer", "minimum": 1, "maximum": LONGEST_DAYS}, {"type": "null"}]},
    )


def token_routes(tokens: TokenControl) -> APIRouter:
    router = APIRouter(route_class=BoundedRoute)

    @router.get(_TOKENS, response_model=list[TokenView], summary="Every token, the oldest first")
    async def list_tokens() -> Response:
        return Json([view.as_dict() for view in tokens.list()])

    @router.post(_TOKENS, status_code=201, response_model=CreatedToken, summary="Make a token")
    async def create_token(wanted: NewToken) -> Response:
        view, secret = await tokens.create(wanted.name, days=wanted.days)
        document = {"token": view.as_dict(), "secret": secret}
        return Json(document, status_code=201, headers={"Cache-Control": "no-store"})

    @router.delete(_TOKENS + "/{token_id}", status_code=204, response_class=Response, summary="Revoke it at once")
    async def revoke_token(token_id: str) -> Response:
        await tokens.revoke(token_id)
        return Response(status_code=204)

    return router
