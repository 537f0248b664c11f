"""Everything that host and worker can say to each other, one class a message.

A message travels as a msgpack array: its number from `BY_NUMBER`, then its fields in order. Fields have one exact type
each, so that a received message is checked by comparing two tuples of types. Stream ids are chosen by the host, grow by
use and are never used again. Sizes are bytes.
"""

from enum import IntEnum
from typing import Any, NamedTuple, TypeAlias

Headers: TypeAlias = tuple[tuple[bytes, bytes], ...]
"""Names and values, in their order."""


class End(IntEnum):
    """What follows a piece of a body. Hashed as the number that it is, and not by name in Python code: tables are asked
    for one with every message."""

    __hash__ = int.__hash__

    MORE = 0
    """More of this body may follow."""
    BODY = 1
    """The body is complete. After an answer's body, `Closed` or `Failed` follows when the worker's thread is free."""
    STREAM = 2
    """The body is complete and nothing follows: the stream is over. Only in answers."""


class Hello(NamedTuple):
    """Worker: I am here. The first message of all; `wire` is the version of this protocol that I speak."""

    wire: int
    pid: int
    python: str


class Memory(NamedTuple):
    """Host: the descriptor that came with this is memory for us both (`memory`)."""


class Load(NamedTuple):
    """Host: load this plugin. `sources` are paths below `folder`, each with the place that names it, for messages.

    `value_error_is_404` says how a ValueError of the plugin's is answered: with its text, as Dify's SDK does.
    """

    folder: str
    sources: tuple[tuple[str, str], ...]
    concurrency: int
    development: bool
    value_error_is_404: bool = False


class Ready(NamedTuple):
    """Worker: loaded; `classes` has one qualified class name for each of `Load.sources`, in the same order.

    `asynchronous` tells that all requests are tasks of one loop, so that many more of them can be open than threads.
    """

    classes: tuple[str, ...]
    asynchronous: bool = False


class LoadFailed(NamedTuple):
    """Worker: cannot load. Each problem has `code`, `message`, `file`, `line`, `key` and `remedy`."""

    problems: tuple[dict[str, Any], ...]


class Request(NamedTuple):
    """Host: answer this HTTP request.

    `source` is an index into `Load.sources`; `path` is percent-encoded, without `script` (`/e/<hook id>`); `headers`
    are in the client's order; `values` come from routing; `settings` is msgpack, to be decoded anew for each request;
    `client` and `server` are host and port; `body` is the body's first piece.
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
    """Worker: the head of an answer, with the first piece of its body."""

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
    """Worker: the next piece of an answer's body stands in the memory that we share, at `position`."""

    stream: int
    end: int
    position: int
    size: int


class Credit(NamedTuple):
    """Either side: `size` more bytes of this stream's body were consumed, so as many more may be sent."""

    stream: int
    size: int


class Cancel(NamedTuple):
    """Host: nobody wants this answer any more. The worker ends the stream with `Closed` or `Failed`."""

    stream: int
    reason: str


class Closed(NamedTuple):
    """Worker: the thread of this stream, whose body had ended or which was cancelled, is free again."""

    stream: int


class Failed(NamedTuple):
    """Worker: there is no (complete) answer, and the thread is free. `detail` is empty outside development mode."""

    stream: int
    code: str
    detail: str


class Ping(NamedTuple):
    """Host: are you there?"""

    number: int


class Pong(NamedTuple):
    """Worker: I am."""

    number: int


class Drain(NamedTuple):
    """Host: I shall send no further request. Finish the open ones and exit."""


class Drained(NamedTuple):
    """Worker: every stream is over, I exit now. The last message of all."""


class Log(NamedTuple):
    """Worker: a line of the plugin's `logging`. `request_id` is empty outside a request."""

    level: int
    logger: str
    text: str
    request_id: str


class Call(NamedTuple):
    """Worker: do this for the plugin. `body` is the first piece of what goes with it: `head` bytes of arguments
    (msgpack), then whatever the kind of call has besides.

    Call ids are chosen by the worker, grow by use and are never used again. `within` is the stream of the request whose
    own thread makes the call; 0 for a thread of the plugin's, whose calls are over with no request.
    """

    call: int
    within: int
    kind: str
    head: int
    end: int
    body: bytes


class Argument(NamedTuple):
    """Worker: the next piece of what goes with a call."""

    call: int
    end: int
    body: bytes


class Reply(NamedTuple):
    """Host: the next piece of an item of the reply, each of which is msgpack. With `End.BODY` the item is complete, and
    another may follow."""

    call: int
    end: int
    body: bytes


class CallCredit(NamedTuple):
    """Either side: `size` more bytes of this call were consumed, so as many more may be sent."""

    call: int
    size: int


class Answered(NamedTuple):
    """Host: the reply has no further item. The call is over."""

    call: int


class Refused(NamedTuple):
    """Host: there is no (complete) reply; the call is over. `text` is for the plugin's author."""

    call: int
    code: str
    text: str


class Abandon(NamedTuple):
    """Worker: nobody wants the rest of this reply. The call is over."""

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
"""A message's number on the wire is its place here: append only, and raise `connection.WIRE_VERSION` otherwise."""

NUMBERS: dict[type[Message], int] = {kind: number for number, kind in enumerate(MESSAGE_TYPES)}
