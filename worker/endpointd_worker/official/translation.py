"""Translates session calls of Dify's SDK to our wire, and the host's replies back. Pure.

The SDK writes bytes as hexadecimal text in JSON. On our wire they are bytes: those of a call follow its arguments, and
those of a reply are an item of it.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple


class WireCall(NamedTuple):
    """A call as it is sent to the host."""

    kind: str
    arguments: dict[str, Any]
    body: bytes = b""


def to_wire(kind: str, request: Mapping[str, Any]) -> WireCall:
    """A call of the SDK (`type` and `request` in its JSON) as one of ours. Raises ValueError for bytes that are not
    hexadecimal."""
    arguments = dict(request)
    if kind == "storage" and request.get("opt") == "set":
        body = bytes.fromhex(arguments.pop("value"))
        return WireCall(kind, {**arguments, "size": len(body)}, body)
    if kind == "speech2text":
        return WireCall(kind, arguments, bytes.fromhex(arguments.pop("file")))
    return WireCall(kind, arguments)


def from_wire(call: WireCall, items: Iterable[Any]) -> Iterator[Any]:
    """The items of the host's reply as the SDK expects them."""
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
