"""What answers the calls that the daemon cannot answer itself: models, apps, tools, files."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from typing import Any, Protocol, TypeAlias

from endpointd.sessions.caller import Caller
from endpointd.sessions.errors import CallRefused


class Backend(Protocol):
    """Answers the calls of one kind, or of several."""

    def answer(
        self, caller: Caller, kind: str, arguments: Mapping[str, Any], body: AsyncIterator[bytes]
    ) -> AsyncGenerator[object, None]:
        """The items of the reply, each as soon as it is known; bytes, str, numbers, lists and dicts of them.

        `body` is what comes with the arguments: a file. Closed early when the plugin wants no more. Raises
        `CallRefused`; the plugin's author reads the text.
        """
        ...


Find: TypeAlias = Callable[[Caller, str], Backend]
"""Who answers calls of the kind for the plugin. Raises `CallRefused`: nobody does."""


def nobody(caller: Caller, kind: str) -> Backend:
    """A `Find` where there is no backend at all."""
    raise CallRefused(
        "unconfigured", f"nothing answers calls of the kind {kind} for {caller.plugin}: there is no backend here"
    )
