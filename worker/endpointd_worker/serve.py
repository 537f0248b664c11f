"""A worker's life: claim the wire, say hello, load the plugin, answer until the host wants no more, exit."""

import gc
import importlib
import os
import platform
import select
import signal
import socket
import sys
import threading
from functools import partial
from pathlib import Path
from types import FrameType

from endpointd_wire.connection import WIRE_VERSION
from endpointd_wire.errors import RemoteWireError
from endpointd_wire.messages import Drained, Hello, Load, LoadFailed, Ready
from endpointd_worker import logs
from endpointd_worker.invoke import Invoker
from endpointd_worker.link import HostGone, Link
from endpointd_worker.loader import load_classes, prepare_path
from endpointd_worker.pool import Pool
from endpointd_worker.stdio import NotAWorker, claim_wire

GC_THRESHOLD = 10_000
"""New objects after which cycles among them are looked for; Python's default of 700 is a handful of requests."""

BY_HAND = """\
This is a worker of endpointd. It is started by the endpointd daemon and speaks to nobody else.
To try a plugin, run: endpointd check FOLDER
"""


def serve() -> int:
    """Run the worker on fd 0 until it is told to end; returns the exit status."""
    try:
        wire = claim_wire()
    except NotAWorker:
        sys.stderr.write(BY_HAND)
        return 2
    signal.signal(signal.SIGTERM, _terminate)
    # Control-C in a terminal is meant for the host, which then ends its workers in good order.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_outlive_nobody, args=(wire,), daemon=True, name="endpointd-guard").start()
    link = Link(wire)
    os.register_at_fork(after_in_child=link.leave)
    try:
        invoker = _load(link)
    except HostGone:
        return 0
    if invoker is None:
        return 1
    Pool(link, invoker.run, _lost).start()
    link.idle.wait()
    if link.is_lost:
        _end_with_children()
    link.send(Drained())
    return 0


def _load(link: Link) -> Invoker | None:
    """Do what the host's `Load` says; None when the plugin has problems, which the host was told."""
    link.send(Hello(WIRE_VERSION, os.getpid(), platform.python_version()))
    order = link.receive_message()
    assert isinstance(order, Load), order
    folder = Path(order.folder)
    prepare_path(folder)
    logs.install(link)
    classes, problems = load_classes(folder, order.sources)
    if problems:
        link.send(LoadFailed(problems))
        return None
    runtime = importlib.import_module("dify_plugin.core.runtime")
    # What was imported stays for good: no collection needs to look at it again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD)
    link.send(Ready([f"{cls.__module__}.{cls.__qualname__}" for cls in classes]))
    open_session = partial(runtime.Session, call=link.calls.call)
    return Invoker(classes, open_session, development=order.development)


def _terminate(_signal: int, _frame: FrameType | None) -> None:
    sys.exit(128 + signal.SIGTERM)


def _outlive_nobody(wire: socket.socket) -> None:
    """End when the host does, though nobody reads the wire: while the plugin is imported, say."""
    poll = select.poll()
    # A hang-up is reported without being asked for, and nothing else is of interest.
    poll.register(wire, 0)
    poll.poll()
    _end_with_children()


def _end_with_children() -> None:
    """End at once, together with what the plugin has started; the host, which otherwise does so, is gone."""
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(0)


def _lost(error: Exception) -> None:
    """Nothing can be answered any more: end at once, whatever the plugin's threads do."""
    if isinstance(error, HostGone):
        _end_with_children()
    if isinstance(error, RemoteWireError):
        sys.stderr.write(f"endpointd: the host broke the protocol: {error}\n")
    else:
        sys.stderr.write(f"endpointd: the worker cannot go on: {error!r}\n")
    sys.stderr.flush()
    os._exit(70)
