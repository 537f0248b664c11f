"""What is in a backup, and how it is known to be whole. Pure."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from endpointd.errors import OperatorError

FORM = 1
LIST = "backup.json"
"""The first file: what the others are, with their checksums."""

DATABASE, PINS, KEY = "endpointd.db", "pins.json", "secret.key"
PLUGINS, RELEASES = "plugins/", "releases/"
_NAME = re.compile(
    rf"{re.escape(DATABASE)}|{re.escape(PINS)}|{re.escape(KEY)}"
    r"|plugins/(?![._])[^/\0]{1,250}\.tar|releases/[a-z0-9_+-]{1,200}/[0-9a-f]{16}\.tar"
)


@dataclass(frozen=True, slots=True)
class Contents:
    """`files` has the SHA-256 of each other file. `made_at` is in seconds since the epoch; `database` is "sqlite", or
    "postgresql" when the database is elsewhere and not in the backup."""

    version: str
    made_at: float
    database: str
    files: Mapping[str, str]
    form: int = FORM

    @property
    def has_key(self) -> bool:
        return KEY in self.files

    def written(self) -> bytes:
        return json.dumps(asdict(self), indent=1, sort_keys=True).encode()


class BackupError(OperatorError):
    """The file is no backup that can be used; nothing was changed."""


def damaged(why: str) -> BackupError:
    return BackupError("backup_damaged", f"the backup cannot be used: {why}", "use another one")


def read_contents(text: bytes) -> Contents:
    """Raises `BackupError`."""
    try:
        document: Any = json.loads(text)
        if document["form"] != FORM:
            raise BackupError(
                "backup_newer", f"a later endpointd ({document['version']}) has made the backup", "restore it with that"
            )
        files = {str(name): str(digest) for name, digest in document["files"].items()}
        found = Contents(str(document["version"]), float(document["made_at"]), str(document["database"]), files)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise damaged(f"its list ({LIST}) cannot be read") from error
    for name in files:
        if not _NAME.fullmatch(name):
            raise damaged(f"{name!r} is nothing that a backup has")
    return found
