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

        Kinds, arguments and items are as Dify's SDK has them, but for bytes, which are bytes: a file that is uploaded
        or heard comes as `body`, and sound is the `result` of an item. A file is uploaded in one step, and the reply
        describes it. Closed early when the plugin wants no more. Raises `CallRefused`; the plugin's author reads the
        text.
        """
        ...


Find: TypeAlias = Callable[[Caller, str], Backend]
"""Who answers calls of the kind for the plugin. Raises `CallRefused`: nobody does."""


def nobody(caller: Caller, kind: str) -> Backend:
    """A `Find` where there is no backend at all."""
    raise CallRefused(
        "unconfigured", f"nothing answers calls of the kind {kind} for {caller.plugin}: there is no backend here"
    )
