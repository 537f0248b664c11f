"""The worker's main function: take the wire, say hello, load the plugin, answer until the host ends it, exit."""

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
from endpointd_worker.runtimes import Run, Runtime
from endpointd_worker.stdio import NotAWorker, claim_wire
from endpointd_worker.streams import Stream

BY_HAND = """\
This is a worker of endpointd. It is started by the endpointd daemon and speaks to nobody else.
To try a plugin, run: endpointd check FOLDER
"""


def serve(runtime: Runtime) -> int:
    """Run the worker on fd 0 until the host ends it. Returns the exit status."""
    try:
        wire = claim_wire()
    except NotAWorker:
        sys.stderr.write(BY_HAND)
        return 2
    # The host sends SIGABRT to a worker that does not respond: its log then shows where each thread was.
    faulthandler.enable()
    signal.signal(signal.SIGTERM, partial(_terminate, runtime))
    # Control-C in a terminal is for the host, which then stops its workers in order. SIG_IGN would be inherited by
    # programs that the plugin starts.
    signal.signal(signal.SIGINT, _ignore)
    runtime.prepare()
    start_new_thread(_exit_with_host, (wire,))
    link = Link(wire, runtime.waits)
    os.register_at_fork(after_in_child=link.detach)
    try:
        run = _load(link, runtime)
    except HostGone:
        return 0
    if run is None:
        return 1
    runtime.start_pool(link, run, _lost)
    link.idle.wait()
    if link.is_lost:
        _end_with_children()
    link.send(Drained())
    return 0


def _load(link: Link, runtime: Runtime) -> Run | None:
    """Load the plugin as the host's `Load` message says. Returns the function that answers a stream; None if the plugin
    cannot be loaded, which the host has been told."""
    link.send(Hello(WIRE_VERSION, os.getpid(), platform.python_version()))
    order = link.receive_message()
    assert isinstance(order, Load), order
    folder = Path(order.folder)
    prepare_path(folder)
    # In development the folder is the author's own. Python reuses bytecode if the source's size and modification time
    # in whole seconds are the same, so it would miss a quick edit.
    sys.dont_write_bytecode = order.development
    logs.install(link)
    classes, problems = load_classes(folder, order.sources, may_be_async=runtime.has_loop)
    if problems:
        link.send(LoadFailed(tuple(problems)))
        return None
    invoker = Invoker(
        classes, _session_opener(link), development=order.development, value_error_is_404=order.value_error_is_404
    )
    runs_as_task = [is_async(cls) for cls in classes]
    run = _with_tasks(link, invoker, runs_as_task, order.concurrency) if any(runs_as_task) else invoker.run
    # Imported objects stay for good, so the garbage collector need not look at them. A collection now would also take
    # longer than everything else here.
    gc.freeze()
    names = tuple(f"{cls.__module__}.{cls.__qualname__}" for cls in classes)
    link.send(Ready(names, any(runs_as_task) and all(runs_as_task)))
    return run


def _with_tasks(link: Link, invoker: Invoker, runs_as_task: list[bool], threads: int) -> Run:
    """The function that answers a stream where some sources are async: `runs_as_task` says so for each source."""
    # Imported only here: it takes a few MiB and some time.
    tasks = importlib.import_module("endpointd_worker.tasks.runner")
    begin: Run = tasks.TaskRunner(link, invoker, threads, _lost).run

    def run(stream: Stream) -> None:
        if runs_as_task[stream.request.source]:
            begin(stream)
        else:
            invoker.run(stream)

    return run


def _session_opener(link: Link) -> Callable[[str, str], object]:
    """The function that makes a session, given the id of the request and the id of its endpoint."""
    runtime = importlib.import_module("dify_plugin.core.runtime")
    # A `dify_plugin` that the plugin itself brings may be neither ours nor Dify's; it is used like ours.
    if Path(str(runtime.__file__)).is_relative_to(SDK) or find_spec("dify_plugin.core.server") is None:
        return partial(runtime.Session, call=link.calls.call)
    official = importlib.import_module("endpointd_worker.official.session")
    opener: Callable[[str, str], object] = official.SessionOpener(link.calls.call).open
    return opener


def _terminate(runtime: Runtime, _signal: int, _frame: FrameType | None) -> None:
    runtime.exit(128 + signal.SIGTERM)


def _ignore(_signal: int, _frame: FrameType | None) -> None:
    """Do nothing."""


def _exit_with_host(wire: socket) -> None:
    """Wait until the host closes the wire, then end the process: also while nobody reads the wire, such as during the
    import of the plugin. Runs in a thread of its own."""
    watch = poll()
    # With no events asked for, only a hang-up is reported.
    watch.register(wire, 0)
    watch.poll()
    _end_with_children()


def _end_with_children() -> None:
    """End this process and all of its process group now. Usually the host does that, but the host is gone."""
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(0)


def _lost(error: Exception) -> None:
    """End the process now, whatever the plugin's threads do: because of `error` nothing can be answered any more."""
    if isinstance(error, HostGone):
        _end_with_children()
    if isinstance(error, RemoteWireError):
        sys.stderr.write(f"endpointd: the host broke the protocol: {error}\n")
    else:
        sys.stderr.write(f"endpointd: the worker cannot go on: {error!r}\n")
    sys.stderr.flush()
    os._exit(70)
