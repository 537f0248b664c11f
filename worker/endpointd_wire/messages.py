"""All messages between host and worker, one class each. Each docstring begins with the side that sends the message.

A message is sent as a msgpack array: its number from `NUMBERS`, then its fields in order. Each field has exactly one
type, so that a received message is checked by comparing two tuples of types. The host chooses stream ids; they increase
and are never reused. Sizes are in bytes.
"""

from enum import IntEnum
from typing import Any, NamedTuple, TypeAlias

Headers: TypeAlias = tuple[tuple[bytes, bytes], ...]
"""Names and values, in their order."""


class End(IntEnum):
    """What follows a piece of a body.

    Members are looked up in tables for every message, so they are hashed as ints, in C; `Enum` hashes by name, in
    Python.
    """

    __hash__ = int.__hash__

    MORE = 0
    """More of this body may follow."""
    BODY = 1
    """The body is complete. After the body of an answer, `Closed` or `Failed` follows once the worker's thread is
    free."""
    STREAM = 2
    """The body is complete and the stream is over. Only in answers."""


class Hello(NamedTuple):
    """Worker: the process runs. The first message of all; `wire` is the protocol version that it speaks."""

    wire: int
    pid: int
    python: str


class Memory(NamedTuple):
    """Host: the file descriptor sent along with this message is the shared memory (see `memory`)."""


class Load(NamedTuple):
    """Host: load this plugin. `sources` are pairs: a path below `folder`, and the manifest key that names it, for
    error messages.

    With `value_error_is_404`, a ValueError raised by the plugin becomes a 404 with the error's text, as in Dify's SDK.
    """

    folder: str
    sources: tuple[tuple[str, str], ...]
    concurrency: int
    development: bool
    value_error_is_404: bool = False


class Ready(NamedTuple):
    """Worker: the plugin is loaded. `classes` has one qualified class name for each of `Load.sources`, in that order.

    `asynchronous`: all requests run as tasks of one event loop, so many more can be open than there are threads.
    """

    classes: tuple[str, ...]
    asynchronous: bool = False


class LoadFailed(NamedTuple):
    """Worker: the plugin cannot be loaded. Each problem has `code`, `message`, `file`, `line`, `key` and `remedy`."""

    problems: tuple[dict[str, Any], ...]


class Request(NamedTuple):
    """Host: answer this HTTP request.

    `source` is an index into `Load.sources`. `script` is `/e/<hook id>`; `path` is the rest of the URL's path,
    percent-encoded. `headers` are in the client's order. `values` are the arguments found by routing. `settings` is
    msgpack (`pack_value`), decoded anew for each request so that requests do not share objects. `client` and `server`
    are host and port. `body` is the first piece of the body.
    """

    stream: int
    source: int
    request_id: str
    method: str
    scheme: str
    http_version: str
    script: str
    path: bytes
    query: bytes
    headers: Headers
    values: dict[str, Any]
    settings: bytes
    client: tuple[str, int]
    server: tuple[str, int]
    end: int
    body: bytes


class Response(NamedTuple):
    """Worker: the head of an answer and the first piece of its body."""

    stream: int
    status: int
    headers: Headers
    end: int
    body: bytes


class Data(NamedTuple):
    """Either side: the next piece of a body."""

    stream: int
    end: int
    body: bytes


class Stored(NamedTuple):
    """Worker: the next piece of an answer's body is in the shared memory, at `position` of the ring (`memory`)."""

    stream: int
    end: int
    position: int
    size: int


class Credit(NamedTuple):
    """Either side: `size` more bytes of this stream's body were consumed; the peer may send that many more."""

    stream: int
    size: int


class Cancel(NamedTuple):
    """Host: this answer is no longer wanted. The worker ends the stream with `Closed` or `Failed`."""

    stream: int
    reason: str


class Closed(NamedTuple):
    """Worker: the thread of this stream is free again. Sent after the end of the body, or after a `Cancel`."""

    stream: int


class Failed(NamedTuple):
    """Worker: there is no answer, or only a part of it, and the thread is free. `detail` is empty outside development
    mode."""

    stream: int
    code: str
    detail: str


class Ping(NamedTuple):
    """Host: answer with a `Pong`, to show that the process is alive."""

    number: int


class Pong(NamedTuple):
    """Worker: the reply to the `Ping` with this number."""

    number: int


class Drain(NamedTuple):
    """Host: no further request will be sent. Finish the open ones and exit."""


class Drained(NamedTuple):
    """Worker: every stream is over; the process exits now. The last message of all."""


class Log(NamedTuple):
    """Worker: a record of the plugin's `logging`. `request_id` is empty outside a request."""

    level: int
    logger: str
    text: str
    request_id: str


class Call(NamedTuple):
    """Worker: carry out a session call for the plugin.

    The data of a call is `head` bytes of arguments (msgpack), then the raw bytes that some kinds have (a file, a stored
    value). `body` is the first piece of the data; the others follow as `Argument`.

    The worker chooses call ids; they increase and are never reused. `within` is the stream of the request that makes
    the call, which ends with that request; 0 for a call from a thread that the plugin has started itself.
    """

    call: int
    within: int
    kind: str
    head: int
    end: int
    body: bytes


class Argument(NamedTuple):
    """Worker: the next piece of a call's data."""

    call: int
    end: int
    body: bytes


class Reply(NamedTuple):
    """Host: the next piece of the reply's current item. A reply is a sequence of items, each of them msgpack.
    `End.BODY` completes the item; another may follow."""

    call: int
    end: int
    body: bytes


class CallCredit(NamedTuple):
    """Either side: `size` more bytes of this call were consumed; the peer may send that many more. Counted as
    `calls.cost` does."""

    call: int
    size: int


class Answered(NamedTuple):
    """Host: the reply has no further item. The call is over."""

    call: int


class Refused(NamedTuple):
    """Host: there is no reply, or only a part of it, and the call is over. `text` is for the plugin's author."""

    call: int
    code: str
    text: str


class Abandon(NamedTuple):
    """Worker: the rest of this reply is not wanted. The call is over."""

    call: int


CallMessage: TypeAlias = Call | Argument | Reply | CallCredit | Answered | Refused | Abandon

Message: TypeAlias = (
    Hello
    | Load
    | Ready
    | LoadFailed
    | Request
    | Response
    | Data
    | Credit
    | Cancel
    | Closed
    | Failed
    | Ping
    | Pong
    | Drain
    | Drained
    | Log
    | Memory
    | Stored
    | CallMessage
)

MESSAGE_TYPES: tuple[type[Message], ...] = (
    Hello,
    Load,
    Ready,
    LoadFailed,
    Request,
    Response,
    Data,
    Credit,
    Cancel,
    Closed,
    Failed,
    Ping,
    Pong,
    Drain,
    Drained,
    Log,
    Call,
    Argument,
    Reply,
    CallCredit,
    Answered,
    Refused,
    Abandon,
    Memory,
    Stored,
)
"""The index here is the message's number on the wire. Only append; any other change needs a new
`connection.WIRE_VERSION`."""

NUMBERS: dict[type[Message], int] = {kind: number for number, kind in enumerate(MESSAGE_TYPES)}
