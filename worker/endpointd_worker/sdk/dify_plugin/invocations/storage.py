"""`session.storage`: what the plugin keeps, by keys, for all its endpoints and versions."""

from dify_plugin.invocations.base import Invocation, InvocationError


class StorageInvocationError(InvocationError):
    """The storage did not do it; nothing was changed then."""


class StorageInvocation(Invocation):
    """Values are bytes, of any content. What `set` and `delete` have done is on the disk when they return."""

    error = StorageInvocationError

    def get(self, key: str) -> bytes:
        """Raises `StorageInvocationError` (code missing): nothing is stored under the key."""
        return b"".join(self.items("storage", {"opt": "get", "key": key}))

    def set(self, key: str, val: bytes) -> None:
        """Store a value, in the place of the one before. Raises `StorageInvocationError` (code quota): no room."""
        if not isinstance(val, bytes | bytearray | memoryview):
            raise TypeError(f"a value to be stored is bytes, not {type(val).__name__}; encode it first")
        list(self.items("storage", {"opt": "set", "key": key, "size": len(val)}, bytes(val)))

    def delete(self, key: str) -> None:
        """Raises `StorageInvocationError` (code missing): nothing is stored under the key."""
        list(self.items("storage", {"opt": "del", "key": key}))

    def exist(self, key: str) -> bool:
        return bool(self.only("storage", {"opt": "exist", "key": key}))
