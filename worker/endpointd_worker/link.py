"""The worker's end of the wire, shared by all its threads.

Owns the socket, the `Connection`, and the one lock that guards both and the state of all streams. Frames that are ready
together are sent in one system call: while `deferring` is on, a stream's output is held back until its thread blocks or
ends the stream, `FLUSH_SIZE` bytes have gathered, or the owner of `deferring` calls `flush` (twice, for an answer that
is not finished).
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
from endpointd_worker.waits import THREAD_WAITS, Condition, Waits

MAX_BUFFERS = 1024
"""The most buffers that one system call takes (IOV_MAX)."""


MAX_DEFERRED = 8
"""How many finished streams are held back to be sent together: enough that the host is woken seldom, few enough that it
has something to do meanwhile."""


DESCRIPTOR_ROOM = socket.CMSG_SPACE(4)
"""Bytes of ancillary data for one file descriptor."""


class HostGone(Exception):
    """The other end of the wire is closed: the host has ended, or has given up on this worker."""


class Link:
    """`waits` makes the conditions and flags that the plugin's threads wait on."""

    def __init__(self, wire: socket.socket, waits: Waits = THREAD_WAITS) -> None:
        self.lock = RLock()
        """Reentrant: while it is held, the garbage collector may run a finalizer of the plugin, which may call
        `log`."""
        self.connection = Connection(Role.WORKER)
        self.calls = CallDesk(self)
        self.deferring = False
        self.idle = waits.flag()
        """Set when there is nothing more to do: the wire is closed, or the host has sent `Drain` and no stream or call
        is open."""
        self.memory: Ring | None = None
        """The memory for large pieces of answers; None until the host has shared it."""
        self._wire = wire
        self._arrival = poll()
        self._arrival.register(wire.fileno(), POLLIN)
        self._make_condition = waits.condition
        self._streams: dict[int, Stream] = {}
        self._unsent: list[Stream] = []
        """Streams with output that is held back."""
        self._spared: list[Stream] = []
        """Those of `_unsent` that the last `flush` has left for the next one."""
        self._gone = False
        self._is_partial = False
        """Whether buffers are being sent, so that no other frame may be sent in between: a finalizer may try to."""
        self._delayed: list[bytes] = []
        """Frames that were made meanwhile, to be sent after them."""

    @property
    def is_lost(self) -> bool:
        """Whether the wire is closed, so that no request can be answered any more."""
        return self._gone

    @property
    def is_over(self) -> bool:
        """Whether no call may be begun any more."""
        return self._gone or self.idle.is_set()

    def condition(self) -> Condition:
        """A new condition of the link's lock, for a thread to wait on."""
        return self._make_condition(self.lock)

    # Sending

    def send(self, message: Message) -> None:
        """Send one message now, after everything that was held back."""
        with self.lock:
            self._flush()
            self._write(self.connection.send(message))

    def log(self, record: Log) -> None:
        """Send one log record now. May be called at any time, even from a finalizer that runs in the middle of any
        other method of this object."""
        with self.lock:
            self._write(self.connection.send(record))

    def flush(self) -> None:
        """Send what was held back. An answer that is not finished is left for the next call, once: most are finished by
        then and are sent as a whole, which costs the host much less than two parts."""
        if self._unsent:
            with self.lock:
                spared = [stream for stream in self._unsent if not (stream.is_finished or stream in self._spared)]
                self._unsent = [stream for stream in self._unsent if stream not in spared]
                self._flush()
                self._unsent, self._spared = spared, [*spared]

    def stop_deferring(self) -> None:
        """Send everything, hold nothing back from now on, and give memory back to the system. To be called when there
        is nothing to do for now."""
        with self.lock:
            self.deferring = False
            self._flush()
            if self.memory is not None and self.memory.rest():
                # The pages are allocated again, empty, when they are next written to.
                with contextlib.suppress(OSError):
                    self._mapping.madvise(mmap.MADV_REMOVE, COUNTER_ROOM, RING)

    def offer(self, stream: Stream, *, at_once: bool = False, is_whole: bool = False) -> None:
        """Send the output of `stream`, now or, while `deferring`, later. `at_once`: do not hold it back. `is_whole`:
        the stream has ended. The lock is held."""
        if stream not in self._unsent:
            self._unsent.append(stream)
        if at_once or not self.deferring or (is_whole and len(self._unsent) >= MAX_DEFERRED):
            self._flush()

    def flush_locked(self) -> None:
        """Send everything that was held back. The lock is held."""
        if self._unsent:
            self._flush()

    def send_locked(self, message: Message) -> None:
        """Send one message now. The lock is held."""
        self._write(self.connection.send(message))
        self._check_idle()

    def _flush(self) -> None:
        unsent, self._unsent = self._unsent, []
        self.send_output(unsent)

    def send_output(self, streams: Iterable[Stream]) -> None:
        """Send the output of these streams in one system call. The lock is held."""
        if self._gone:
            return
        buffers: list[bytes] = []
        for stream in streams:
            try:
                for message in stream.take_output():
                    buffers += self.connection.send(message)
            except LocalWireError as error:
                # A bug of ours must not end the flushing thread, which need not be the one that runs the stream.
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
        if self._is_partial:
            self._delayed += buffers
            return
        try:
            if len(buffers) == 1:
                self._wire.sendall(buffers[0])
            else:
                self._send_all(buffers)
        except OSError:
            self._lose()

    def _send_all(self, buffers: list[bytes]) -> None:
        self._is_partial = True
        try:
            sent = self._wire.sendmsg(buffers[:MAX_BUFFERS])
            if sent < sum(map(len, buffers)):
                self._wire.sendall(memoryview(b"".join(buffers))[sent:])
        finally:
            self._is_partial = False
        late, self._delayed = self._delayed, []
        self._write(late)

    def _check_idle(self) -> None:
        connection = self.connection
        if connection.phase is Phase.DRAINING and not connection.open_streams and not connection.calls:
            self.idle.set()

    # Receiving, by one thread at a time

    @property
    def fileno(self) -> int:
        """The wire's file descriptor, to poll for something to receive."""
        return self._wire.fileno()

    def receive(self, timeout: float | None = None) -> list[Stream]:
        """Receive and process what the host has sent; return the new requests.

        Waits until something has come, at most `timeout` seconds; 0 does not wait, None waits for ever. Raises
        `HostGone` or `RemoteWireError`.
        """
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
            if self.connection.phase is Phase.ENDED:
                # The host has said this before it could hear `Drained`.
                return []
            messages = self.connection.received(size)
            return [stream for message in messages if (stream := self._take(message)) is not None]

    def receive_message(self) -> Message:
        """Wait for the first message (`Load`), before there are streams, and for the shared memory if it comes along.
        Raises `HostGone` or `RemoteWireError`."""
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
        # If it cannot be mapped, all pieces are sent over the socket.
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

    def detach(self) -> None:
        """Stop using the wire. Called in a forked child of the worker, which has only the thread that forked."""
        # The old lock may be held by a thread that does not exist in the child.
        self.lock = RLock()
        self._gone = True
        for stream in self._streams.values():
            stream.detach("this process is a child of the worker")

    def _lose(self) -> None:
        self._gone = True
        # The reading thread may not notice: if a plugin has closed all descriptors, a `poll` of the wire never returns.
        self.idle.set()
        for stream in list(self._streams.values()):
            stream.cancel("the host is gone")
        self.calls.lose()
        with contextlib.suppress(OSError):
            self._wire.shutdown(socket.SHUT_RDWR)
