"""Which hook ids an endpoint may have. Pure."""

from collections.abc import Callable

from endpointd.endpoints.book import Book
from endpointd.manifest.values import Fault


def faults_of_hook(hook_id: str, book: Book, automatic: Callable[[str], str | None]) -> tuple[Fault, ...]:
    """Whether somebody has the hook id already; `automatic` gives the plugin that answers there by itself, at its name.

    An operator's endpoint that is there first keeps a plugin that comes later from answering at its name.
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
