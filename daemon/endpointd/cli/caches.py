"""Where the commands of an author keep environments from one run to the next: in the user's own cache."""

import os
from pathlib import Path


def environments_cache() -> Path:
    return _cache() / "endpointd" / "environments"


def uv_cache() -> dict[str, str]:
    """The setting that lets uv use the cache that it uses otherwise."""
    return {} if os.environ.get("UV_CACHE_DIR") else {"uv_cache": str(_cache() / "uv")}


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
