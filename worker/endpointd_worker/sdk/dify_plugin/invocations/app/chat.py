"""`session.app.chat`."""

from collections.abc import Generator, Mapping
from typing import Any, Literal, overload

from dify_plugin.invocations.app.base import AppInvocation, ResponseMode


class ChatAppInvocation(AppInvocation):
    @overload
    def invoke(
        self,
        app_id: str,
        query: str,
        inputs: Mapping[str, Any],
        response_mode: Literal["streaming"] = "streaming",
        conversation_id: str | None = None,
        user: str | None = None,
    ) -> Generator[dict[str, Any], None, None]: ...
    @overload
    def invoke(
        self,
        app_id: str,
        query: str,
        inputs: Mapping[str, Any],
        response_mode: Literal["blocking"],
        conversation_id: str | None = None,
        user: str | None = None,
    ) -> dict[str, Any]: ...
    def invoke(
        self,
        app_id: str,
        query: str,
        inputs: Mapping[str, Any],
        response_mode: ResponseMode = "streaming",
        conversation_id: str | None = None,
        user: str | None = None,
    ) -> Any:
        """The app's events (streaming), or its whole answer (blocking). Starts a new conversation unless
        `conversation_id` is given."""
        request = {
            "app_id": app_id,
            "query": query,
            "inputs": inputs,
            "conversation_id": conversation_id or "",
            "user": user,
        }
        return self.ask(request, response_mode)
