"""The interface of backends, which answer the calls that the daemon cannot answer itself."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from typing import Any, Protocol, TypeAlias

from endpointd.sessions.caller import Caller
from endpointd.sessions.errors import CallRefused


class Backend(Protocol):
    """Answers calls of one or several kinds."""

    def answer(
        self, caller: Caller, kind: str, arguments: Mapping[str, Any], body: AsyncIterator[bytes]
    ) -> AsyncGenerator[object, None]:
        """Yields the items of the reply, each as soon as it is known: bytes, str, numbers, None, or lists and dicts of
        them.

        Kinds, arguments and items are those of Dify's SDK, with two exceptions. Bytes are not encoded as text: the file
        for `upload_file` and `speech2text` is `body`, and the sound of `tts` is the `result` of an item. And a file is
        uploaded in one step; the reply describes it.

        The generator is closed early if the plugin wants no more. Raises `CallRefused`, whose text is shown to the
        plugin's author.
        """
        ...


Find: TypeAlias = Callable[[Caller, str], Backend]
"""Returns the backend for this plugin and this kind of call. Raises `CallRefused` if there is none."""


def nobody(caller: Caller, kind: str) -> Backend:
    """A `Find` for when there is no backend at all."""
    raise CallRefused(
        "unconfigured", f"nothing answers calls of the kind {kind} for {caller.plugin}: there is no backend here"
    )
