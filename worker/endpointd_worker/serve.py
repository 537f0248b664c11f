"""A worker's life: claim the wire, say hello, load the plugin, answer until the host wants no more, exit."""

import faulthandler
import gc
import importlib
import os
import platform
import signal
import sys
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from types import FrameType

from endpointd_wire.connection import WIRE_VERSION
from endpointd_wire.errors import RemoteWireError
from endpointd_wire.messages import Drained, Hello, Load, LoadFailed, Ready
from endpointd_worker import logs
from endpointd_worker.invoke import Invoker
from endpointd_worker.link import HostGone, Link
from endpointd_worker.loader import SDK, is_async, load_classes, prepare_path
from endpointd_worker.native import poll, socket, start_new_thread
from endpointd_worker.stdio import NotAWorker, claim_wire
from endpointd_worker.streams import Stream
from endpointd_worker.ways import Run, Way

BY_HAND = """\
This is a worker of endpointd. It is started by the endpointd daemon and speaks to nobody else.
To try a plugin, run: endpointd check FOLDER
"""


def serve(way: Way) -> int:
    """Run the worker on fd 0 until it is told to end; returns the exit status."""
    try:
        wire = claim_wire()
    except NotAWorker:
        sys.stderr.write(BY_HAND)
        return 2
    # Whom the host aborts, because nothing else is heard of it, tells the log where it stood.
    faulthandler.enable()
    signal.signal(signal.SIGTERM, partial(_terminate, way))
    # Control-C in a terminal is meant for the host, which then ends its workers in good order. Not by SIG_IGN, which
    # programs that the plugin starts would inherit.
    signal.signal(signal.SIGINT, _pass_over)
    way.prepare()
    start_new_thread(_outlive_nobody, (wire,))
    link = Link(wire, way.waits)
    os.register_at_fork(after_in_child=link.leave)
    try:
        run = _load(link, way)
    except HostGone:
        return 0
    if run is None:
        return 1
    way.start_pool(link, run, _lost)
    link.idle.wait()
    if link.is_lost:
        _end_with_children()
    link.send(Drained())
    return 0


def _load(link: Link, way: Way) -> Run | None:
    """Do what the host's `Load` says. Returns what answers a stream; None when the plugin has problems, which the host
    was told."""
    link.send(Hello(WIRE_VERSION, os.getpid(), platform.python_version()))
    order = link.receive_message()
    assert isinstance(order, Load), order
    folder = Path(order.folder)
    prepare_path(folder)
    # The folder is the author's own then. Python takes what was compiled for the source if its size and the second of
    # its time fit, and so would go on with what was there before a quick change.
    sys.dont_write_bytecode = order.development
    logs.install(link)
    classes, problems = load_classes(folder, order.sources, may_be_async=way.has_loop)
    if problems:
        link.send(LoadFailed(tuple(problems)))
        return None
    invoker = Invoker(
        classes, _session_opener(link), development=order.development, value_error_is_404=order.value_error_is_404
    )
    of_tasks = [is_async(cls) for cls in classes]
    run = _with_tasks(link, invoker, of_tasks, order.concurrency) if any(of_tasks) else invoker.run
    # What was imported stays for good: no collection needs to look at it again, nor at this moment, when one would take
    # longer than all else that is done here.
    gc.freeze()
    names = tuple(f"{cls.__module__}.{cls.__qualname__}" for cls in classes)
    link.send(Ready(names, any(of_tasks) and all(of_tasks)))
    return run


def _with_tasks(link: Link, invoker: Invoker, of_tasks: list[bool], threads: int) -> Run:
    """What answers a stream where the requests for some sources are tasks of a loop."""
    # Takes a few MiB and some time, which other plugins save.
    tasks = importlib.import_module("endpointd_worker.tasks.runner")
    begin: Run = tasks.TaskRunner(link, invoker, threads, _lost).run

    def run(stream: Stream) -> None:
        if of_tasks[stream.request.source]:
            begin(stream)
        else:
            invoker.run(stream)

    return run


def _session_opener(link: Link) -> Callable[[str, str], object]:
    """What makes a session of the ids of a request and of its endpoint."""
    runtime = importlib.import_module("dify_plugin.core.runtime")
    # One that a plugin brings along need not be Dify's, nor have what Dify's has.
    if Path(str(runtime.__file__)).is_relative_to(SDK) or find_spec("dify_plugin.core.server") is None:
        return partial(runtime.Session, call=link.calls.call)
    official = importlib.import_module("endpointd_worker.official.session")
    opener: Callable[[str, str], object] = official.SessionOpener(link.calls.call).open
    return opener


def _terminate(way: Way, _signal: int, _frame: FrameType | None) -> None:
    way.exit(128 + signal.SIGTERM)


def _pass_over(_signal: int, _frame: FrameType | None) -> None:
    """Do nothing."""


def _outlive_nobody(wire: socket) -> None:
    """End when the host does, though nobody reads the wire: while the plugin is imported, say."""
    watch = poll()
    # A hang-up is reported without being asked for, and nothing else is of interest.
    watch.register(wire, 0)
    watch.poll()
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
