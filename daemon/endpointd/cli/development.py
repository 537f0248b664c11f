"""Serving one plugin while it is written: a directory of plugins with a single link in it, and settings for people."""

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from endpointd.cli.caches import environments_cache, uv_cache
from endpointd.cli.configuration import Configuration, load
from endpointd.errors import UsageError

FIXED: Mapping[str, object] = {"development": True, "log_format": "console"}


@contextmanager
def workshop(folder: Path, flags: Mapping[str, object]) -> Iterator[Configuration]:
    """The settings for serving the plugin in `folder` alone, from a directory that is gone afterwards.

    `flags` are those that were given. Raises `UsageError` when there is no such folder.
    """
    if not folder.is_dir():
        raise UsageError(
            "not_a_directory", f"{folder} is not a directory", "name the folder that holds the plugin's manifest.yaml"
        )
    folder = folder.resolve()
    with tempfile.TemporaryDirectory(prefix="endpointd-dev-") as root:
        plugins = Path(root, "plugins")
        plugins.mkdir()
        # A folder whose name begins with a dot is no plugin's, but this one was asked for.
        os.symlink(folder, plugins / (folder.name.lstrip("._") or "plugin"))
        places = {"plugins": plugins, "state": Path(root, "state"), "environments": environments_cache()}
        yield load({**FIXED, **{name: str(path) for name, path in places.items()}, **uv_cache(), **flags})
