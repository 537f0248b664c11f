"""The values that a plugin under test stores, in memory."""

import threading
from collections.abc import Mapping

from endpointd.sessions.storage import QuotaExceeded, Value


class MemoryValues:
    """Implements `sessions.storage.Values` for a single plugin, whose id is ignored."""

    def __init__(self, stored: Mapping[str, bytes]) -> None:
        self._values = {key.encode(): bytes(value) for key, value in stored.items()}
        self._lock = threading.Lock()

    def all(self) -> dict[str, bytes]:
        with self._lock:
            return {key.decode(): value for key, value in self._values.items()}

    def get(self, plugin: str, key: bytes, at_most: int) -> Value | None:  # noqa: ARG002
        with self._lock:
            value = self._values.get(key)
        if value is None:
            return None
        return Value(len(value), [value] if len(value) <= at_most else None)

    def set(self, plugin: str, key: bytes, pieces: list[bytes], quota: int) -> None:  # noqa: ARG002
        value = b"".join(pieces)
        with self._lock:
            used = sum(len(other) for name, other in self._values.items() if name != key)
            if used + len(value) > quota:
                raise QuotaExceeded(max(0, quota - used), 1)
            self._values[key] = value

    def delete(self, plugin: str, key: bytes) -> bool:  # noqa: ARG002
        with self._lock:
            return self._values.pop(key, None) is not None

    def exists(self, plugin: str, key: bytes) -> bool:  # noqa: ARG002
        with self._lock:
            return key in self._values

    def close(self) -> None:
        """There is nothing to close."""
