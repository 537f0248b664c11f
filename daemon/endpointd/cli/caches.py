"""Where the commands for plugin authors keep environments between runs: in the user's cache directory."""

import os
from pathlib import Path


def environments_cache() -> Path:
    return _cache() / "endpointd" / "environments"


def uv_cache() -> dict[str, str]:
    """The settings that make uv use its default cache."""
    return {} if os.environ.get("UV_CACHE_DIR") else {"uv_cache": str(_cache() / "uv")}


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
