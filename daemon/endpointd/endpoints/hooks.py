"""Checks whether a hook id is free. Pure."""

from collections.abc import Callable

from endpointd.endpoints.book import Book
from endpointd.manifest.values import Fault


def faults_of_hook(hook_id: str, book: Book, automatic: Callable[[str], str | None]) -> tuple[Fault, ...]:
    """A fault if the hook id is taken. `automatic` returns the plugin whose automatic endpoint has the hook id.

    If an endpoint has a plugin's name as its hook id before the plugin is installed, the plugin gets no automatic one.
    """
    other = book.at(hook_id)
    if other is not None:
        message = f"another endpoint has it: {other.name!r} of {other.plugin}"
        return (Fault("hook_id", "hook_id_taken", message, "choose another one"),)
    owner = automatic(hook_id)
    if owner is not None:
        message = f"the plugin {owner} answers there without an endpoint"
        return (Fault("hook_id", "hook_id_taken", message, "choose another one, or switch auto_endpoints off"),)
    return ()
