"""Corrects the API's description (OpenAPI) where FastAPI generates something wrong or incomplete."""

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI

_JSON = "application/json"


def mend_description(api: FastAPI) -> None:
    """Let `api` correct its OpenAPI document when that is first requested; all routes must have been added by then."""
    ordinary = api.openapi

    def mended() -> dict[str, Any]:
        if api.openapi_schema is None:
            document = ordinary()
            for response in _responses(document):
                _retype(response.get("content", {}))
            components = document.setdefault("components", {})
            components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
            # A token, or nothing: on the socket in the state directory none is needed.
            document["security"] = [{"token": []}, {}]
        return api.openapi_schema or {}

    api.openapi = mended  # type: ignore[method-assign]


def _responses(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path in document["paths"].values():
        for operation in path.values():
            yield from operation["responses"].values()


def _retype(content: dict[str, Any]) -> None:
    """Move the model to the declared media type: FastAPI puts it under application/json even then."""
    others = [kind for kind in content if kind != _JSON]
    if others and _JSON in content:
        content[others[0]] = content.pop(_JSON)
