"""The worker's end of the wire, shared by all its threads.

Owns the socket, the `Connection` and the one lock that guards both and everything in the streams. Frames that are ready
together leave in one system call: while `deferring` is on, a stream's output may wait here for the rest of it, until
the thread that makes it blocks or ends, `FLUSH_SIZE` bytes have gathered, or whoever switched it on calls `flush`
(for what is still being made, twice).
"""

import contextlib
import mmap
import os
import socket
import sys
from collections.abc import Iterable
from math import ceil

from endpointd_wire.connection import Connection, Role
from endpointd_wire.errors import LocalWireError
from endpointd_wire.memory import COUNTER_ROOM, RING, SIZE, Ring
from endpointd_wire.messages import Cancel, Credit, Data, Drain, Failed, Log, Memory, Message, Ping, Pong, Request
from endpointd_wire.states import CALL_MESSAGES, Phase
from endpointd_worker.calls import CallDesk
from endpointd_worker.native import POLLIN, RLock, poll
from endpointd_worker.streams import Stream
from endpointd_worker.waits import OF_THREADS, Condition, Waits

MAX_BUFFERS = 1024
"""How many buffers one system call takes (IOV_MAX)."""


MAX_COMPANY = 8
"""Streams whose output waits for each other: enough that the host is woken seldom, and few enough that it has something
to do meanwhile."""


DESCRIPTOR_ROOM = socket.CMSG_SPACE(4)
"""Bytes that one descriptor takes beside what is received."""


class HostGone(Exception):
    """The other end of the wire is closed: the host has ended, or has given this worker up."""


class Link:
    def __init__(self, wire: socket.socket, waits: Waits = OF_THREADS) -> None:
        self.lock = RLock()
        """Reentrant: the garbage collector may run a plugin's finalizer wherever it is held, and that may `log`."""
        self.connection = Connection(Role.WORKER)
        self.calls = CallDesk(self)
        self.deferring = False
        self.idle = waits.flag()
        """Set when there is nothing more to do: the wire is lost, or the host wants no more of this worker and no
        stream or call is open."""
        self.memory: Ring | None = None
        """Where large pieces of answers are put for the host, once it has shared it."""
        self._wire = wire
        self._arrival = poll()
        self._arrival.register(wire.fileno(), POLLIN)
        self._make_condition = waits.condition
        self._streams: dict[int, Stream] = {}
        self._unsent: list[Stream] = []
        self._spared: list[Stream] = []
        """Of those, which the last `flush` left for the next one."""
        self._gone = False
        self._between = False
        """Whether a frame has left in part, so that no other may follow."""
        self._late: list[bytes] = []
        """Frames that were made meanwhile."""

    @property
    def is_lost(self) -> bool:
        """Whether the wire has ended, so that nobody can be answered any more."""
        return self._gone

    @property
    def is_over(self) -> bool:
        """Whether nothing may be begun any more."""
        return self._gone or self.idle.is_set()

    def condition(self) -> Condition:
        """What a thread waits on, with the lock."""
        return self._make_condition(self.lock)

    # Sending

    def send(self, message: Message) -> None:
        """Send one message now, after all that was deferred."""
        with self.lock:
            self._flush()
            self._write(self.connection.send(message))

    def log(self, record: Log) -> None:
        """Send one record now, from wherever it comes: also from a finalizer, in the midst of anything here."""
        with self.lock:
            self._write(self.connection.send(record))

    def flush(self) -> None:
        """Send what was deferred. An answer that is still being made is spared once: most are whole by the next call,
        and leave in one piece, which costs the host much less than two."""
        if self._unsent:
            with self.lock:
                spared = [stream for stream in self._unsent if not (stream.is_finished or stream in self._spared)]
                self._unsent = [stream for stream in self._unsent if stream not in spared]
                self._flush()
                self._unsent, self._spared = spared, [*spared]

    def stop_deferring(self) -> None:
        """For when there is nothing more to do for now."""
        with self.lock:
            self.deferring = False
            self._flush()
            if self.memory is not None and self.memory.rest():
                # The system makes them anew, empty, when they are written to.
                with contextlib.suppress(OSError):
                    self._mapping.madvise(mmap.MADV_REMOVE, COUNTER_ROOM, RING)

    def offer(self, stream: Stream, *, at_once: bool = False, is_whole: bool = False) -> None:
        """`stream` has output; `is_whole` if that is all there will be. The lock is held."""
        if stream not in self._unsent:
            self._unsent.append(stream)
        if at_once or not self.deferring or (is_whole and len(self._unsent) >= MAX_COMPANY):
            self._flush()

    def flush_locked(self) -> None:
        if self._unsent:
            self._flush()

    def send_locked(self, message: Message) -> None:
        self._write(self.connection.send(message))
        self._check_idle()

    def _flush(self) -> None:
        unsent, self._unsent = self._unsent, []
        self.send_output(unsent)

    def send_output(self, streams: Iterable[Stream]) -> None:
        """Send what these have to say, in one system call. The lock is held."""
        if self._gone:
            return
        buffers: list[bytes] = []
        for stream in streams:
            try:
                for message in stream.take_output():
                    buffers += self.connection.send(message)
            except LocalWireError as error:
                # A bug of ours must not end the thread that flushes, which may be another one than the stream's.
                sys.stderr.write(f"endpointd: stream {stream.id} could not be sent: {error}\n")
                stream.cancel(str(error))
                buffers += self.connection.send(Failed(stream.id, "bad_answer", ""))
            if not self.connection.is_open(stream.id):
                self._streams.pop(stream.id, None)
        self._write(buffers)
        self._check_idle()

    def _write(self, buffers: list[bytes]) -> None:
        if not buffers or self._gone:
            return
        if self._between:
            self._late += buffers
            return
        try:
            if len(buffers) == 1:
                self._wire.sendall(buffers[0])
            else:
                self._send_all(buffers)
        except OSError:
            self._lose()

    def _send_all(self, buffers: list[bytes]) -> None:
        self._between = True
        try:
            sent = self._wire.sendmsg(buffers[:MAX_BUFFERS])
            if sent < sum(map(len, buffers)):
                self._wire.sendall(memoryview(b"".join(buffers))[sent:])
        finally:
            self._between = False
        late, self._late = self._late, []
        self._write(late)

    def _check_idle(self) -> None:
        connection = self.connection
        if connection.phase is Phase.DRAINING and not connection.open_streams and not connection.calls:
            self.idle.set()

    # Receiving, by one thread at a time

    @property
    def fileno(self) -> int:
        """The wire's descriptor, for those who wait until there is something to receive."""
        return self._wire.fileno()

    def receive(self, timeout: float | None = None) -> list[Stream]:
        """Wait for the host, at most `timeout` seconds; return the new requests. Raises `HostGone`, or
        `RemoteWireError`."""
        if timeout:
            self._arrival.poll(ceil(timeout * 1000))
        try:
            flags = 0 if timeout is None else socket.MSG_DONTWAIT
            size = self._wire.recv_into(self.connection.get_buffer(), 0, flags)
        except BlockingIOError:
            return []
        except OSError:
            size = 0
        with self.lock:
            if not size:
                self._lose()
                raise HostGone
            messages = self.connection.received(size)
            return [stream for message in messages if (stream := self._take(message)) is not None]

    def receive_message(self) -> Message:
        """Wait for one message, before there are streams. Raises `HostGone`, or `RemoteWireError`."""
        while True:
            size, extras, _, _ = self._wire.recvmsg_into([self.connection.get_buffer()], DESCRIPTOR_ROOM)
            if not size:
                raise HostGone
            for _, _, data in extras:
                self._map(int.from_bytes(data, sys.byteorder))
            for message in self.connection.received(size):
                if not isinstance(message, Memory):
                    return message

    def _map(self, descriptor: int) -> None:
        # Where there is no room for it, all goes over the wire.
        with contextlib.suppress(OSError):
            self._mapping = mmap.mmap(descriptor, SIZE)
            self.memory = Ring(memoryview(self._mapping))
        os.close(descriptor)

    def _take(self, message: Message) -> Stream | None:
        if isinstance(message, Request):
            stream = self._streams[message.stream] = Stream(self, message)
            return stream
        if isinstance(message, Ping):
            self._write(self.connection.send(Pong(message.number)))
        elif isinstance(message, Drain):
            self._check_idle()
        elif isinstance(message, Data):
            self._streams[message.stream].deliver(message)
        elif isinstance(message, Credit):
            self._streams[message.stream].wake()
        elif isinstance(message, Cancel):
            self._streams[message.stream].cancel(message.reason)
        elif type(message) in CALL_MESSAGES:
            self.calls.take(message)  # type: ignore[arg-type]
            self._check_idle()
        return None

    def leave(self) -> None:
        """Have nothing to do with the wire any more: this is a child of the worker's, with one of its threads."""
        # Another thread, which is not here, may hold the old one.
        self.lock = RLock()
        self._gone = True
        for stream in self._streams.values():
            stream.leave("this process is a child of the worker")

    def _lose(self) -> None:
        self._gone = True
        # Whoever reads may not see it: when a plugin closes all descriptors, what waits on one goes on waiting.
        self.idle.set()
        for stream in list(self._streams.values()):
            stream.cancel("the host is gone")
        self.calls.lose()
        with contextlib.suppress(OSError):
            self._wire.shutdown(socket.SHUT_RDWR)
