"""Calls of apps. The answer is a stream of events, or one `dict`."""

from collections.abc import Generator, Mapping
from typing import Any, Literal, overload

from dify_plugin.invocations.base import Invocation

ResponseMode = Literal["streaming", "blocking"]


class AppInvocation(Invocation):
    def ask(self, request: Mapping[str, object], response_mode: str) -> Any:  # noqa: ANN401 - by the mode
        if response_mode == "blocking":
            return self.only("app", {**request, "response_mode": response_mode})
        if response_mode != "streaming":
            raise ValueError(f"the response_mode of an app is 'streaming' or 'blocking', not {response_mode!r}")
        return self._stream({**request, "response_mode": response_mode})

    def _stream(self, request: Mapping[str, object]) -> Generator[dict[str, Any], None, None]:
        yield from self.items("app", request)


class InputsInvocation(AppInvocation):
    """For apps that have inputs and no conversation."""

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
