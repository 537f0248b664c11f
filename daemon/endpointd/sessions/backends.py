"""What answers the calls that the daemon cannot answer itself: models, apps, tools, files."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Any, Protocol

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


Backends = Mapping[str, Backend]
"""By the kind of call."""


def find(backends: Backends, kind: str) -> Backend:
    """Raises `CallRefused`: none is configured."""
    backend = backends.get(kind)
    if backend is None:
        raise CallRefused(
            "unconfigured",
            f"nothing answers calls of the kind {kind}: this version of endpointd answers storage by itself and has no"
            " backend for others; in tests give load_plugin a FakeSession with answers",
        )
    return backend
