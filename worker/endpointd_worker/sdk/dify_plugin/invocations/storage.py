"""`session.storage`: a persistent key-value store, which all endpoints and versions of the plugin share."""

from dify_plugin.invocations.base import Invocation, InvocationError


class StorageInvocationError(InvocationError):
    """The operation has failed; nothing was changed."""


class StorageInvocation(Invocation):
    """Values are bytes with any content. When `set` or `delete` returns, the change is on the disk."""

    error = StorageInvocationError

    def get(self, key: str) -> bytes:
        """Raises `StorageInvocationError` (code missing): nothing is stored under the key."""
        return b"".join(self.items("storage", {"opt": "get", "key": key}))

    def set(self, key: str, val: bytes) -> None:
        """Store `val` under `key`, replacing any other value. Raises `StorageInvocationError` (code quota): no room."""
        if not isinstance(val, bytes | bytearray | memoryview):
            raise TypeError(f"a value to be stored is bytes, not {type(val).__name__}; encode it first")
        list(self.items("storage", {"opt": "set", "key": key, "size": len(val)}, bytes(val)))

    def delete(self, key: str) -> None:
        """Raises `StorageInvocationError` (code missing): nothing is stored under the key."""
        list(self.items("storage", {"opt": "del", "key": key}))

    def exist(self, key: str) -> bool:
        return bool(self.only("storage", {"opt": "exist", "key": key}))
