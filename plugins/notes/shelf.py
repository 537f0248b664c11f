"""The notes in the session's storage: each under a key of its own, and their names under another.

The storage lists no keys, so the names are kept as a value. The lock keeps two requests from changing it at once; one
process runs the plugin, so a lock in it is enough.
"""

import json
from threading import Lock
from typing import Any

NAMES = "names"
_changing = Lock()


class Shelf:
    def __init__(self, session: Any) -> None:  # noqa: ANN401 - the official SDK's or the built-in one's
        self._storage = session.storage

    def names(self) -> list[str]:
        """The notes that there are, in the order of the alphabet."""
        found: list[str] = json.loads(self._storage.get(NAMES)) if self._storage.exist(NAMES) else []
        return found

    def read(self, name: str) -> bytes | None:
        key = _key(name)
        return self._storage.get(key) if self._storage.exist(key) else None

    def write(self, name: str, text: bytes) -> None:
        """Raises what the storage raises: there is no room."""
        with _changing:
            # The note first: who dies in between leaves one too many, and no name without a note.
            self._storage.set(_key(name), text)
            self._storage.set(NAMES, json.dumps(sorted({*self.names(), name})).encode())

    def remove(self, name: str) -> bool:
        """Whether there was such a note."""
        with _changing:
            names = self.names()
            if name not in names:
                return False
            names.remove(name)
            self._storage.set(NAMES, json.dumps(names).encode())
            self._storage.delete(_key(name))
            return True


def _key(name: str) -> str:
    return f"note:{name}"
