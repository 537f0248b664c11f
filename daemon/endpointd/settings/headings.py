"""The headings and the order in which settings are shown in help and documentation. Pure."""

from collections.abc import Iterator

from pydantic.fields import FieldInfo

from endpointd.settings.plugin_limits import SharedLimits
from endpointd.settings.settings import Settings

TABLES = ("backend", "calls", "plugin")
"""Settings that are tables, which neither a flag nor an environment variable can contain."""


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
    """Yield (name, declaration) for every setting that a flag or variable can contain, grouped by heading."""
    headings = ["Service", "Environments", "Packages", "Log", "Tracing", "Limits", "Clocks", "Restarts"]
    # The class's own fields come after the inherited ones, though they are what an operator looks for first.
    own_first = sorted(Settings.model_fields.items(), key=lambda item: item[0] in SharedLimits.model_fields)
    for name, field in sorted(own_first, key=lambda item: headings.index(heading_of(item[0]))):
        if name not in TABLES:
            yield name, field
