"""`session.app.completion`."""

from collections.abc import Generator, Mapping
from typing import Any, Literal, overload

from dify_plugin.invocations.app.base import AppInvocation, ResponseMode


class CompletionAppInvocation(AppInvocation):
    @overload
    def invoke(
        self, app_id: str, inputs: Mapping[str, Any], response_mode: Literal["streaming"], user: str | None = None
    ) -> Generator[dict[str, Any], None, None]: ...
    @overload
    def invoke(
        self,
        app_id: str,
        inputs: Mapping[str, Any],
        response_mode: Literal["blocking"] = "blocking",
        user: str | None = None,
    ) -> dict[str, Any]: ...
    def invoke(
        self,
        app_id: str,
        inputs: Mapping[str, Any],
        response_mode: ResponseMode = "blocking",
        user: str | None = None,
    ) -> Any:
        """The app's events (streaming), or its whole answer (blocking)."""
        return self.ask({"app_id": app_id, "inputs": inputs, "user": user}, response_mode)
