"""The list of a backup's contents, with checksums by which it is verified. Pure."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from endpointd.errors import OperatorError
from endpointd.folders.leftout import is_plugin_folder

FORM = 1
LIST = "backup.json"
"""The name of the first file, which lists the others with their checksums."""

DATABASE, PINS, KEY = "endpointd.db", "pins.json", "secret.key"
PLUGINS, RELEASES = "plugins/", "releases/"
_PLUGIN = re.compile(rf"{PLUGINS}[0-9]{{4,8}}\.tar")
"""Numbered: the name of a folder may be as long as a name can be."""

_NAME = re.compile(
    rf"{re.escape(DATABASE)}|{re.escape(PINS)}|{re.escape(KEY)}|{_PLUGIN.pattern}"
    rf"|{RELEASES}[a-zA-Z0-9_+-]{{1,200}}/[0-9a-f]{{16}}\.tar"
)
MAX_NAME = 255
"""The most bytes of a file name in Linux."""


@dataclass(frozen=True, slots=True)
class Contents:
    """`files` has the SHA-256 of each other file, `plugins` the name of the folder in each that is a plugin's.
    `made_at` is in seconds since the epoch; `database` is "sqlite", or "postgresql" when the database is elsewhere and
    not in the backup."""

    version: str
    made_at: float
    database: str
    files: Mapping[str, str]
    plugins: Mapping[str, str]
    form: int = FORM

    @property
    def has_key(self) -> bool:
        return KEY in self.files

    def written(self) -> bytes:
        return json.dumps(asdict(self), indent=1, sort_keys=True).encode()


class BackupError(OperatorError):
    """The file is not a backup that can be used. Nothing was changed."""


def damaged(why: str) -> BackupError:
    return BackupError("backup_damaged", f"the backup cannot be used: {why}", "use another one")


def read_contents(text: bytes) -> Contents:
    """Parse the list. Raises `BackupError`."""
    try:
        document: Any = json.loads(text)
        if document["form"] != FORM:
            raise BackupError(
                "backup_newer", f"a later endpointd ({document['version']}) has made the backup", "restore it with that"
            )
        files = _texts(document["files"])
        plugins = _texts(document["plugins"])
        found = Contents(
            str(document["version"]), float(document["made_at"]), str(document["database"]), files, plugins
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise damaged(f"its list ({LIST}) cannot be read") from error
    for name in files:
        if not _NAME.fullmatch(name):
            raise damaged(f"{name!r} is nothing that a backup has")
    for name in plugins.values():
        if not _is_one_name(name) or not is_plugin_folder(name):
            raise damaged(f"{name!r} is no name that a plugin's folder can have")
    if plugins.keys() != {name for name in files if _PLUGIN.fullmatch(name)}:
        raise damaged(f"its list ({LIST}) does not name each plugin's folder")
    if len(set(plugins.values())) < len(plugins):
        raise damaged("it has a folder twice")
    return found


def _texts(mapping: Mapping[str, object]) -> dict[str, str]:
    return {str(name): str(value) for name, value in mapping.items()}


def _is_one_name(name: str) -> bool:
    try:
        size = len(name.encode(errors="surrogateescape"))
    except UnicodeEncodeError:
        return False
    return 0 < size <= MAX_NAME and not set(name) & {"/", "\0"}
