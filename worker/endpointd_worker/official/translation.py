"""A session call as Dify's SDK makes it, and as the host answers it. Pure.

The SDK writes bytes as hexadecimal text in its JSON. On the wire they are bytes: what a call brings goes behind its
arguments, and what it gets is an item of the reply.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple


class WireCall(NamedTuple):
    """What the host is asked."""

    kind: str
    arguments: dict[str, Any]
    body: bytes = b""


def to_wire(kind: str, request: Mapping[str, Any]) -> WireCall:
    """Raises ValueError: what should be hexadecimal is not."""
    arguments = dict(request)
    if kind == "storage" and request.get("opt") == "set":
        body = bytes.fromhex(arguments.pop("value"))
        return WireCall(kind, {**arguments, "size": len(body)}, body)
    if kind == "speech2text":
        return WireCall(kind, arguments, bytes.fromhex(arguments.pop("file")))
    return WireCall(kind, arguments)


def from_wire(call: WireCall, items: Iterable[Any]) -> Iterator[Any]:
    """The host's reply as the SDK expects it, item by item."""
    if call.kind == "storage":
        return _storage(str(call.arguments.get("opt")), items)
    if call.kind == "tts":
        return ({**item, "result": _text(item["result"])} for item in items)
    return iter(items)


def _storage(operation: str, items: Iterable[Any]) -> Iterator[dict[str, Any]]:
    found = list(items)
    if operation == "get":
        yield {"data": b"".join(found).hex()}
    elif operation == "exist":
        yield {"data": bool(found[0]), "exist_num": int(found[0])}
    elif operation == "del":
        yield {"data": "ok", "deleted_num": 1}
    else:
        yield {"data": "ok"}


def _text(value: bytes | str) -> str:
    return value if isinstance(value, str) else value.hex()
