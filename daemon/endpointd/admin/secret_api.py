"""The API's route for the key that encrypts secrets."""

from fastapi import APIRouter
from starlette.responses import Response

from endpointd.admin.json_response import Json
from endpointd.endpoints.secret_keys import KeyControl, Rotated


def secret_routes(keys: KeyControl) -> APIRouter:
    router = APIRouter()

    @router.post(
        "/api/v1/secrets/rotate",
        response_model=Rotated,
        summary="Seal all secrets with a new key and drop the old one; answers when that is done",
    )
    async def rotate() -> Response:
        return Json((await keys.rotate()).as_dict())

    return router
