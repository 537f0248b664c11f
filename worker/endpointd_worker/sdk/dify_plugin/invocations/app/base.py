"""An app's answer: events as they come, or one `dict`."""

from collections.abc import Generator, Mapping
from typing import Any, Literal

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
