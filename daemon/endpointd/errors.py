"""The errors that endpointd raises to its callers: each with a stable code, a message, and what to do about it."""

from collections.abc import Iterable
from difflib import get_close_matches


class EndpointdError(Exception):
    """Base class of all errors that endpointd raises on purpose. Any other exception that escapes is a defect."""


class OperatorError(EndpointdError):
    """The daemon cannot do what it was asked to do, for a reason that the operator can remove.

    `code` is a stable identifier in snake_case, `message` says what happened and to what, and `remedy` says what to do,
    as an imperative.
    """

    def __init__(self, code: str, message: str, remedy: str) -> None:
        super().__init__(code, message, remedy)
        self.code = code
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message}; {self.remedy} [{self.code}]"


class UsageError(OperatorError):
    """The request itself is wrong (an option, a setting, an argument), so that repeating it cannot help."""


class PluginUnknown(OperatorError):
    """There is no plugin with this name. `known` are the ids of all plugins, for suggestions in the remedy."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        meant = _near(name, known)
        super().__init__(
            "plugin_unknown",
            f"there is no plugin {name!r}",
            f"did you mean {' or '.join(meant)}?" if meant else "'endpointd list' shows those that there are",
        )


def _near(name: str, known: Iterable[str]) -> list[str]:
    """At most three ids that resemble `name`, the most similar first. Ids are compared with and without the author."""
    by_word: dict[str, list[str]] = {}
    for plugin_id in known:
        for word in {plugin_id, plugin_id.rpartition("/")[2]}:
            by_word.setdefault(word, []).append(plugin_id)
    words = get_close_matches(name[:100], by_word, n=3, cutoff=0.7)
    own_name = get_close_matches(name[:100].rpartition("/")[2], by_word, n=3, cutoff=0.7)
    return list(dict.fromkeys(plugin_id for word in words + own_name for plugin_id in by_word[word]))[:3]
