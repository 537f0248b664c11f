"""Which files of a plugin's folder are not part of the plugin. Pure.

They are in no release and no archive, their changes are no changes, and they do not count in a digest: what Python and
other tools write beside the sources, what an editor leaves while it saves, and what a file system keeps of files that
were removed while they were open. Everything else belongs to the plugin, `node_modules` too, unless its author has
named it in `IGNORE_FILE`, for which see `ignoring.py`.
"""

import re

ENVIRONMENT_MARK = "pyvenv.cfg"
"""The file that makes a folder a virtual environment, which is no part of the plugin whatever its name."""

IGNORE_FILE = ".difyignore"
MAX_IGNORE = 64 * 1024
"""Bytes of the file that count. It has some lines."""

_NAMES = frozenset(
    {"__pycache__", ".git", ".hg", ".svn", ".venv", ".mypy_cache", ".pytest_cache", ".ruff_cache"}
    # Vim tries with a file of this name whether it may write into a folder.
    | {".DS_Store", "4913"}
)
_PATTERN = re.compile(
    r".*\.pyc|.*~|.*\.tmp"
    r"|\..*\.sw[a-z]|\..*\.swpx|\..*\.kate-swp|\.#.*|#.*#|\.goutputstream-.*|.*___jb_(tmp|old|bak)___"
    r"|\.nfs[0-9a-f]+|\.fuse_hidden[0-9a-f]+",
    re.DOTALL,
)


def is_left_out(name: str) -> bool:
    """Whether a file or folder of this name, anywhere inside a plugin's folder, is no part of the plugin."""
    return name in _NAMES or _PATTERN.fullmatch(name) is not None


def is_plugin_folder(name: str) -> bool:
    """Whether a folder of this name in the plugins directory may hold a plugin: the others are nobody's business."""
    return not name.startswith((".", "__"))
