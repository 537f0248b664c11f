"""A plugin's finalizer that logs: the garbage collector runs it wherever it likes, also in the midst of the link."""

import logging
import socket
import threading
from collections.abc import Callable, Iterable

from endpointd_wire.connection import WIRE_VERSION
from endpointd_wire.messages import Failed, Hello, Load, Log, Ready
from endpointd_worker.link import Link
from endpointd_worker.logs import HostHandler
from support.host_end import WAIT_SECONDS, HostEnd
from support.thread_worker import StartThreads, plain


class Spoken:
    """Text that does something when it is formatted."""

    def __init__(self, act: Callable[[], object]) -> None:
        self._act = act

    def __str__(self) -> str:
        self._act()
        return "spoken"


def record(message: object = "quack") -> logging.LogRecord:
    return logging.makeLogRecord({"name": "duck", "levelno": logging.INFO, "msg": message})


def in_a_thread(function: Callable[[], object]) -> threading.Event:
    """Set when `function` has returned on a thread of its own, which is not waited for."""
    done = threading.Event()

    def run() -> None:
        function()
        done.set()

    threading.Thread(target=run, daemon=True).start()
    return done


def test_it_may_log_while_its_thread_holds_the_link(start_threads: StartThreads) -> None:
    worker = start_threads(plain, pool=False)
    handler = HostHandler(worker.link)

    def collect() -> None:
        with worker.link.lock:
            handler.handle(record())

    assert in_a_thread(collect).wait(WAIT_SECONDS)


def test_it_may_log_while_another_thread_logs(start_threads: StartThreads) -> None:
    """The other one waits for the link, and holds nothing that the finalizer needs."""
    worker = start_threads(plain, pool=False)
    handler = HostHandler(worker.link)
    other = threading.Event()

    def collect() -> None:
        with worker.link.lock:
            in_a_thread(lambda: handler.handle(record(Spoken(other.set))))
            assert other.wait(WAIT_SECONDS)
            handler.handle(record())

    assert in_a_thread(collect).wait(WAIT_SECONDS)


class Interrupted(socket.socket):
    """Sends the first of several buffers alone, and does something before the rest."""

    between: Callable[[], object]

    def sendmsg(self, buffers: Iterable[bytes], *_: object) -> int:  # type: ignore[override]
        sent = super().sendmsg([next(iter(buffers))])
        self.between()
        return sent


def test_its_record_does_not_get_into_another_frame() -> None:
    ours, theirs = socket.socketpair()
    with ours, Interrupted(fileno=theirs.detach()) as wire:
        host, link = HostEnd(ours), Link(wire)
        handler = HostHandler(link)
        wire.between = lambda: handler.handle(record())
        link.send(Hello(WIRE_VERSION, 1, "3.13.0"))
        host.hear(Hello)
        host.say(Load("/plugin", (), 32, False))
        link.receive_message()
        link.send(Ready(()))
        host.hear(Ready)
        host.request()
        (stream,) = link.receive()
        stream.start_answer(200, ())
        stream.write(bytes(100_000))
        assert host.hear_body(100_000) == bytes(100_000)
        stream.fail("over", "")
        host.hear(Failed)
        assert host.logs == [Log(logging.INFO, "duck", "quack", "")]
