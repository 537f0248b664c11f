"""Frames: a 4-byte big-endian length, then one msgpack array. Turns bytes into messages and back.

Defines the largest frame and the encoding of values. Knows nothing about the order of messages.
"""

import mmap
from struct import Struct
from typing import Any, get_origin, get_type_hints
from uuid import UUID

# Imported by name, so that a plugin that replaces a function of msgpack does not replace it here.
from msgpack import ExtType, Packer, UnpackException, packb, unpackb

from endpointd_wire.errors import LocalWireError, RemoteWireError
from endpointd_wire.messages import MESSAGE_TYPES, NUMBERS, Argument, Data, Message, Reply

LENGTH_SIZE = 4
_LENGTH = Struct(">I")

MAX_FRAME = 1 << 20
"""The largest payload of a frame, in bytes. Bodies of any size are sent in pieces of at most `MAX_PIECE`, so this
leaves ample room for the other fields: the head of a request (limited to some 80 KiB by default), an answer's headers,
a log line."""

MAX_PIECE = 256 * 1024
"""The largest piece of a body in one frame, in bytes: what a socket pair and uvloop's read buffer move in one system
call."""

MAX_INTEGER = 1785
"""Bytes of the largest integer that may be sent: about 4300 digits, the most that Python converts to text
(`sys.int_info`). A larger one could not even be named in an error message."""

_EXT_INTEGER = 1
_EXT_UUID = 2

_TYPES: list[tuple[type, ...]] = [
    tuple(get_origin(hint) or hint for hint in get_type_hints(kind).values()) for kind in MESSAGE_TYPES
]


def encode(message: Message) -> list[bytes]:
    """The frame of `message`, as one or more buffers to be sent in this order. A large body is not copied.

    Raises `LocalWireError` if a value cannot be encoded or the frame would be too large.
    """
    kind = type(message)
    if (kind is Data or kind is Reply or kind is Argument) and len(message.body) >= 4096:  # type: ignore[union-attr]
        return _encode_large_data(message)  # type: ignore[arg-type]
    try:
        payload = _packer.pack((NUMBERS[kind], *message))
    except (TypeError, ValueError, OverflowError) as error:
        raise LocalWireError(f"cannot encode {kind.__name__}: {error}") from error
    size = len(payload)
    if size > MAX_FRAME:
        _check_size(size)
    return [size.to_bytes(LENGTH_SIZE, "big") + payload]


def _encode_large_data(message: Data | Reply | Argument) -> list[bytes]:
    """The same bytes as msgpack would produce, with the body as a separate buffer."""
    head = packb((NUMBERS[type(message)], message[0], int(message.end), b""))
    # The last two bytes encode an empty body (bin 8). Replace them by a bin 32 header with the real size.
    head = head[:-2] + b"\xc6" + len(message.body).to_bytes(4, "big")
    size = len(head) + len(message.body)
    _check_size(size)
    return [size.to_bytes(LENGTH_SIZE, "big") + head, message.body]


def _check_size(size: int) -> None:
    if size > MAX_FRAME:
        raise LocalWireError(f"a frame of {size} bytes is larger than the maximum of {MAX_FRAME}")


def pack_value(value: object) -> bytes:
    """A value as msgpack, to be carried as bytes inside a message: settings, arguments of calls, items of replies.

    Raises TypeError for a value of a type that has no encoding, and ValueError for one that is too large.
    """
    packed: bytes = packb(value, default=_encode_other)
    return packed


def unpack_value(data: bytes) -> Any:  # noqa: ANN401 - whatever was packed
    """The value that `pack_value` has packed."""
    return unpackb(data, ext_hook=_decode_other, strict_map_key=False)


def _encode_other(value: object) -> ExtType:
    """Encode what msgpack has no type for: UUIDs (from werkzeug's converters) and integers of more than 64 bits."""
    if isinstance(value, UUID):
        return ExtType(_EXT_UUID, value.bytes)
    if isinstance(value, int):
        size = value.bit_length() // 8 + 1
        if size > MAX_INTEGER:
            raise ValueError(f"an integer of {size} bytes; the maximum is {MAX_INTEGER}")
        return ExtType(_EXT_INTEGER, value.to_bytes(size, "big", signed=True))
    raise TypeError(f"no encoding for {type(value).__name__}")


def _decode_other(code: int, data: bytes) -> object:
    if code == _EXT_UUID:
        return UUID(bytes=data)
    if code == _EXT_INTEGER:
        if len(data) > MAX_INTEGER:
            raise ValueError(f"an integer of {len(data)} bytes; the maximum is {MAX_INTEGER}")
        return int.from_bytes(data, "big", signed=True)
    raise ValueError(f"unknown extension type {code}")


_packer = Packer(default=_encode_other)
"""Shared by all connections of a process. Like a `Connection`, it may be used by one thread at a time only."""


BUFFER_SIZE = LENGTH_SIZE + MAX_FRAME + MAX_PIECE
"""Bytes of a reader's buffer: the largest frame, and after an incomplete one still `MAX_PIECE` for the next system
call."""


class FrameReader:
    """Cuts a stream of bytes into messages, wherever the reads happen to split it.

    The caller receives bytes directly into the reader's buffer (`get_buffer`, then `received`), so that a body is
    copied only once: out of this buffer. The buffer is an anonymous mapping, so pages that were never written take no
    memory; a bytearray would fill all of them with zeros.
    """

    def __init__(self) -> None:
        # A private mapping: a process that the plugin forks must not share it.
        self._buffer = memoryview(mmap.mmap(-1, BUFFER_SIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))
        self._start = 0
        self._end = 0

    def get_buffer(self) -> memoryview:
        """Where to write the next bytes: at least `MAX_PIECE` of them fit."""
        size = self._end - self._start
        if not size:
            self._start = self._end = 0
        elif BUFFER_SIZE - self._end < MAX_PIECE:
            self._buffer[:size] = self._buffer[self._start : self._end]
            self._start, self._end = 0, size
        return self._buffer[self._end :]

    def received(self, size: int) -> list[Message]:
        """Take `size` bytes, which were written to the start of the last `get_buffer`; return the messages that are
        now complete.

        Raises `RemoteWireError`, after which the reader must not be used any more.
        """
        self._end += size
        buffer, start, messages, read_length = self._buffer, self._start, [], _LENGTH.unpack_from
        while self._end - start >= LENGTH_SIZE:
            (length,) = read_length(buffer, start)
            if length > MAX_FRAME:
                excerpt = bytes(buffer[start : min(self._end, start + RemoteWireError.EXCERPT_SIZE)])
                raise RemoteWireError(f"a frame announces {length} bytes, the maximum is {MAX_FRAME}", excerpt)
            end = start + LENGTH_SIZE + length
            if end > self._end:
                break
            messages.append(decode(buffer[start + LENGTH_SIZE : end]))
            start = end
        self._start = start
        return messages

    def close(self) -> None:
        """No more bytes will come: free the buffer now, even if this object is still referenced."""
        self._buffer = memoryview(b"")

    def feed(self, data: bytes) -> list[Message]:
        """As `received`, for bytes of any number that are elsewhere; they are copied into the buffer."""
        messages, rest = [], memoryview(data)
        while rest:
            room = self.get_buffer()
            size = min(len(room), len(rest))
            room[:size] = rest[:size]
            messages += self.received(size)
            rest = rest[size:]
        return messages


def decode(payload: memoryview | bytes) -> Message:
    """The message in the payload of one frame. Raises `RemoteWireError` if it is malformed."""
    try:
        items = unpackb(payload, ext_hook=_decode_other, strict_map_key=False, use_list=False)
    # UnpackException is raised for data that ends early, ValueError for everything else that is malformed.
    except (UnpackException, ValueError, TypeError, RecursionError) as error:
        raise RemoteWireError(f"a frame is not msgpack: {error}", bytes(payload)) from None
    if type(items) is not tuple or not items:
        raise RemoteWireError("a frame is not an array with a message number", bytes(payload))
    number, fields = items[0], items[1:]
    if type(number) is not int:
        raise RemoteWireError(
            f"a frame begins with a {type(number).__name__}, not with the number of a message", bytes(payload)
        )
    if not 0 <= number < len(_TYPES):
        raise RemoteWireError(f"{number} is not the number of a message", bytes(payload))
    if tuple(map(type, fields)) != _TYPES[number]:
        raise RemoteWireError(f"wrong fields for {MESSAGE_TYPES[number].__name__}", bytes(payload))
    # As `_make`, without counting the fields again.
    return tuple.__new__(MESSAGE_TYPES[number], fields)
