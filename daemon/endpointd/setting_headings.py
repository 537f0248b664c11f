"""The settings as they are shown, in help and in the documents: under headings, and in what order. Pure."""

from collections.abc import Iterator

from pydantic.fields import FieldInfo

from endpointd.plugin_limits import SharedLimits
from endpointd.settings import Settings

TABLES = ("backend", "calls", "plugin")
"""What neither a flag nor a variable can hold."""


def heading_of(name: str) -> str:
    """The heading that a setting stands under in help and documentation."""
    limits = ("concurrency", "concurrency_async", "workers", "queue_size", "nice", "allow_from", "rate", "cors_origins")
    if name in limits:
        return "Limits"
    if name in ("builds_at_once", "environments", "offline"):
        return "Environments"
    headings = {"uv": "Environments", "python": "Environments", "package": "Packages"}
    headings |= {"start": "Restarts", "idle": "Restarts"}
    headings |= {"limit": "Limits", "clock": "Clocks", "restart": "Restarts", "recycle": "Restarts", "log": "Log"}
    headings["trace"] = "Tracing"
    return headings.get(name.partition("_")[0], "Service")


def single_settings() -> Iterator[tuple[str, FieldInfo]]:
    """Every setting that one flag or variable can hold, those of a heading together: (name, declaration)."""
    headings = ["Service", "Environments", "Packages", "Log", "Tracing", "Limits", "Clocks", "Restarts"]
    # The class's own fields come after the inherited ones, though they are what an operator looks for first.
    own_first = sorted(Settings.model_fields.items(), key=lambda item: item[0] in SharedLimits.model_fields)
    for name, field in sorted(own_first, key=lambda item: headings.index(heading_of(item[0]))):
        if name not in TABLES:
            yield name, field
