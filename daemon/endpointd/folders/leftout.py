"""Tells which files of a plugin's folder are never part of the plugin. Pure.

These are files that Python and other tools write beside the sources, temporary files of editors, and files that a file
system keeps because they were removed while open. They are not in releases, archives and digests, and changes of them
are ignored. Everything else is part of the plugin (`node_modules` too), unless its author excludes it in `IGNORE_FILE`;
see `ignoring.py`.
"""

import re

ENVIRONMENT_MARK = "pyvenv.cfg"
"""A folder with this file is a virtual environment, which is never part of the plugin, whatever its name."""

IGNORE_FILE = ".difyignore"
MAX_IGNORE = 64 * 1024
"""The bytes of the ignore file that are read; usually it has only a few lines."""

_NAMES = frozenset(
    {"__pycache__", ".git", ".hg", ".svn", ".venv", ".mypy_cache", ".pytest_cache", ".ruff_cache"}
    # Vim creates "4913" to test whether it may write into the folder.
    | {".DS_Store", "4913"}
)
_PATTERN = re.compile(
    r".*\.pyc|.*~|.*\.tmp"
    r"|\..*\.sw[a-z]|\..*\.swpx|\..*\.kate-swp|\.#.*|#.*#|\.goutputstream-.*|.*___jb_(tmp|old|bak)___"
    r"|\.nfs[0-9a-f]+|\.fuse_hidden[0-9a-f]+",
    re.DOTALL,
)


def is_left_out(name: str) -> bool:
    """Whether files and folders of this name, anywhere in a plugin's folder, are not part of the plugin."""
    return name in _NAMES or _PATTERN.fullmatch(name) is not None


def is_plugin_folder(name: str) -> bool:
    """Whether a folder of this name in the plugins directory may contain a plugin. Other folders are ignored."""
    return not name.startswith((".", "__"))
