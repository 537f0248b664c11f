"""What the framework's description of the API (OpenAPI) gets wrong or leaves out."""

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI

_JSON = "application/json"


def mend_description(api: FastAPI) -> None:
    """Of the routes that there are when it is first asked for."""
    ordinary = api.openapi

    def mended() -> dict[str, Any]:
        if api.openapi_schema is None:
            document = ordinary()
            for response in _responses(document):
                _retype(response.get("content", {}))
            components = document.setdefault("components", {})
            components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
            # On the socket in the state directory nobody needs one.
            document["security"] = [{"token": []}, {}]
        return api.openapi_schema or {}

    api.openapi = mended  # type: ignore[method-assign]


def _responses(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path in document["paths"].values():
        for operation in path.values():
            yield from operation["responses"].values()


def _retype(content: dict[str, Any]) -> None:
    """The framework has the model under JSON's own type, also where another type is declared."""
    others = [kind for kind in content if kind != _JSON]
    if others and _JSON in content:
        content[others[0]] = content.pop(_JSON)
