"""The errors of building an environment, and the interpretation of uv's output. Pure."""

import re
from collections.abc import Sequence

from endpointd.errors import OperatorError

MAX_WORDS = 600
"""The largest number of characters of uv's output in an error message. The plugin's journal has all of it."""

_FULL = re.compile(r"No space left on device|os error 28\b|Disk quota exceeded|os error 122\b", re.IGNORECASE)
_UNREACHABLE = re.compile(
    r"error sending request|dns error|tcp connect error|operation timed out|connection (reset|refused|closed)"
    r"|HTTP status server error|network (is )?unreachable",
    re.IGNORECASE,
)
_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+@")
_ERROR = re.compile("error: |\\s*\u00d7 ")
_CAUSE = re.compile(r"\s*(?:cause:|Caused by:|[╰├]─▶)\s*")

LASTING = frozenset({"environment_failed", "interpreter_missing", "worker_needs_unmet"})
"""The codes of failures that would recur at the next attempt, unless the plugin or the machine changes. The causes of
the others, such as an unreachable index, may disappear by themselves."""


class EnvironmentFailed(OperatorError):
    """A plugin has no environment, and none could be built."""

    @property
    def lasting(self) -> bool:
        return self.code in LASTING


def explained(lines: Sequence[str], how: str) -> EnvironmentFailed:
    """The error for the last lines of uv's output; if there are none, it says `how` uv ended, such as "exited with
    status 1"."""
    words = _words(lines) or f"uv {how}"
    whole = "\n".join(lines)
    if _FULL.search(whole):
        return disk_full(words)
    if _UNREACHABLE.search(whole):
        remedy = "see whether the package index can be reached from here (proxy, uv_index_url, offline)"
        return EnvironmentFailed("environment_unreachable", f"its packages could not be fetched: {words}", remedy)
    remedy = "correct what the plugin asks for; all that uv said is in its log"
    return EnvironmentFailed("environment_failed", f"its environment could not be built: {words}", remedy)


def disk_full(words: str) -> EnvironmentFailed:
    remedy = "make room in the state directory; 'endpointd env prune' removes what nobody uses"
    return EnvironmentFailed("environment_disk_full", f"there is no room for its environment: {words}", remedy)


def without_credentials(line: str) -> str:
    """A line of uv's output, with the user names and passwords in URLs masked."""
    return _CREDENTIALS.sub("********@", line)


def _words(lines: Sequence[str]) -> str:
    """uv's error message and its causes, joined to one line."""
    begin = next((number for number, line in enumerate(lines) if _ERROR.match(line)), None)
    if begin is None:
        kept = [line.strip() for line in lines if line.strip()][-1:]
    else:
        kept = [_CAUSE.sub("", _ERROR.sub("", line)).strip() for line in lines[begin:]]
    text = ": ".join(part.rstrip(".") for part in kept if part)
    return text if len(text) <= MAX_WORDS else f"{text[: MAX_WORDS - 1]}…"
