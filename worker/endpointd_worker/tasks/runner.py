"""Runs one request of an endpoint whose `_invoke` is an `async def`, from the message to the end of the stream.

The counterpart of `invoke`, which runs requests in threads; the plugin's exceptions are handled in the same way.
"""

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Request as WerkzeugRequest
from werkzeug.wrappers import Response

from endpointd_worker.answer import send_answer
from endpointd_worker.calls import here, task_stream
from endpointd_worker.environ import build_request
from endpointd_worker.invoke import Invoker
from endpointd_worker.link import Link
from endpointd_worker.logs import request_id
from endpointd_worker.streams import Stream
from endpointd_worker.tasks.answer import TaskAnswer
from endpointd_worker.tasks.body import open_body
from endpointd_worker.tasks.loop import Loop
from endpointd_worker.tasks.outlet import Outlet
from endpointd_worker.tasks.waiter import Waiter

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment


class TaskRunner:
    """Starts a task for each request. `threads`: how many bodies that are plain iterables are produced at once, and,
    separately, how many threads the plugin's tasks may use. `lost` is called when the wire is closed."""

    def __init__(self, link: Link, invoker: Invoker, threads: int, lost: Callable[[Exception], None]) -> None:
        self._link = link
        self._invoker = invoker
        self._loop = Loop(threads)
        self._outlet = Outlet(link, self._loop, lost)
        self._threads = ThreadPoolExecutor(threads, "endpointd-body")
        self._loop.start()

    def stop(self) -> None:
        """End the loop and its threads. For tests; a worker never does."""
        self._loop.stop()
        self._threads.shutdown()

    def run(self, stream: Stream) -> None:
        """Start to answer `stream`, and return. May be called from any thread."""
        waiter = Waiter(stream, self._link, self._loop)
        with self._link.lock:
            stream.move(self._outlet, waiter)
        self._loop.post(partial(self._begin, stream, waiter))

    def _begin(self, stream: Stream, waiter: Waiter) -> None:
        waiter.task = self._loop.begin(self._answer(stream, waiter))
        waiter.task.add_done_callback(partial(_close_unbegun, stream))
        # The stream may have been cancelled before the task existed.
        waiter.tell()

    async def _answer(self, stream: Stream, waiter: Waiter) -> None:
        """Answer `stream`. Never raises; but a task that is cancelled before its first step never runs this."""
        request_id.set(stream.request.request_id)
        task_stream.set(stream)
        try:
            body = await open_body(stream, waiter)
            request = build_request(stream)
            request.environ["wsgi.input"] = body
            try:
                await self._serve(stream, waiter, request)
            finally:
                request.close()
            waiter.over()
            stream.close()
        except BaseException as error:  # noqa: BLE001 - as in `Invoker.run`
            waiter.over()
            if isinstance(error, asyncio.CancelledError) and stream.cancelled is not None:
                stream.close()
            else:
                self._invoker.give_up(stream, error)

    async def _serve(self, stream: Stream, waiter: Waiter, request: WerkzeugRequest) -> None:
        answer = TaskAnswer(stream, waiter, partial(self._send_in_thread, stream, waiter))
        try:
            response = await self._invoke(stream, request)
            await answer.send(response, request.environ)
        except HTTPException as error:
            stream.check()
            if not stream.take_back():
                raise
            await answer.send(error.get_response(request.environ), request.environ)

    async def _invoke(self, stream: Stream, request: WerkzeugRequest) -> object:
        try:
            return await self._invoker.call(stream.request, request)
        except ValueError as error:
            return self._invoker.not_found(stream.request, request, error)

    # Bodies that are produced in a thread

    async def _send_in_thread(
        self, stream: Stream, waiter: Waiter, response: Response, environ: "WSGIEnvironment"
    ) -> None:
        """Send a response in another thread, in the way in which endpoints without a loop do."""
        context = contextvars.copy_context()
        job = self._threads.submit(context.run, self._send_here, stream, waiter, response, environ)
        done = asyncio.Event()
        job.add_done_callback(lambda _: self._loop.post(done.set))
        await _wait_for(job, done, response)
        try:
            job.result()
        finally:
            # Break the cycle: an exception of the job refers to this frame through its traceback.
            del job

    def _send_here(self, stream: Stream, waiter: Waiter, response: Response, environ: "WSGIEnvironment") -> None:
        """The part that runs in the thread."""
        here.stream = stream
        with self._link.lock:
            self._outlet.flush_locked()
            stream.move(self._link, waiter)
        try:
            send_answer(stream, response, environ)
        finally:
            here.stream = None
            # Output that was already offered to the link stays in the link's list, which also sends it.
            with self._link.lock:
                stream.move(self._outlet, waiter)


async def _wait_for(job: "Future[None]", done: asyncio.Event, response: Response) -> None:
    """Wait until the thread is done with the response, even if the task is cancelled meanwhile: the thread itself
    notices when the stream is cancelled. Raises the `CancelledError` afterwards."""
    cancelled: asyncio.CancelledError | None = None
    while not done.is_set():
        try:
            await done.wait()
        except asyncio.CancelledError as error:
            cancelled = error
            if job.cancel():
                # The job had not started, so nobody else closes the response.
                response.close()
                break
    try:
        if cancelled is not None:
            raise cancelled
    finally:
        # As above: break the cycle.
        del cancelled


def _close_unbegun(stream: Stream, task: "asyncio.Task[None]") -> None:
    """End the stream of a task that was cancelled before its first step, and so has never run."""
    if task.cancelled():
        stream.close()
