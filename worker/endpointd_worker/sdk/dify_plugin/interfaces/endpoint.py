"""The class that a plugin's source inherits from."""

from abc import ABC, abstractmethod
from collections.abc import Coroutine, Mapping
from typing import Any, final

from werkzeug.wrappers import Request, Response

from dify_plugin.core.runtime import Session


class Endpoint(ABC):
    """Answers one interface. A new object is made for each request; implement `_invoke`."""

    def __init__(self, session: Session) -> None:
        self.session = session

    @final
    def invoke(
        self, r: Request, values: Mapping[str, Any], settings: Mapping[str, Any]
    ) -> Response | Coroutine[Any, Any, Response]:
        return self._invoke(r, values, settings)

    @abstractmethod
    def _invoke(
        self, r: Request, values: Mapping[str, Any], settings: Mapping[str, Any]
    ) -> Response | Coroutine[Any, Any, Response]:
        """Answer `r`.

        `values` are the variables of the path, converted; `settings` is the configuration of the endpoint that was
        called, with the declared defaults filled in. Return a `werkzeug.Response`; its body may be a generator. As an
        `async def` it runs in the worker's loop, and the body may be an async generator.
        """
