"""Drives the original SDK's own runtime (a plugin's ``main.py``) over its protocol, lines of JSON on stdin and stdout.

There is no HTTP server before it: the time that is measured is that for which Dify's daemon would have to wait.
"""

import json
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import SimpleQueue
from typing import IO

from errors import BenchError
from figures import percentile
from load import LoadRun
from running import child_environment
from workloads import Workload

Message = dict[str, object]


class Runtime:
    """A running plugin, to which the workload's requests are sent, several at a time."""

    def __init__(self, process: "subprocess.Popen[bytes]", workload: Workload) -> None:
        self._process = process
        self._stdout = _pipe(process.stdout)
        self._before, self._after = _request_line(workload)
        self._answer = workload.answer
        self._numbers = iter(range(1, 10**9))
        self._began: dict[str, float] = {}
        self._bodies: dict[str, bytes] = {}
        self._said: SimpleQueue[bytes | None] = SimpleQueue()
        # A thread for writing, because with one thread for both, each side could end up waiting for the other to read.
        self._writer = threading.Thread(target=_write, args=(_pipe(process.stdin), self._said), daemon=True)
        self._writer.start()

    @property
    def pid(self) -> int:
        """Return the pid of the process."""
        return self._process.pid

    def ask_once(self) -> None:
        """Send one request, and raise BenchError if the answer is not right."""
        self._send()
        _, right = self._next_end()
        if not right:
            raise BenchError("the SDK's runtime did not give the right answer")

    def put_under_load(self, in_flight: int, seconds: float) -> LoadRun:
        """Send requests for ``seconds``, with ``in_flight`` unanswered requests at any time."""
        began = time.perf_counter()
        for _ in range(in_flight):
            self._send()
        latencies, wrong = [], 0
        while (now := time.perf_counter()) < began + seconds:
            latency, right = self._next_end()
            latencies.append(latency)
            wrong += not right
            self._send()
        elapsed = now - began
        for _ in range(len(self._began)):
            self._next_end()
        p50, p99 = (int(percentile(latencies, share) * 1e6) for share in (0.5, 0.99))
        return LoadRun(len(latencies) / elapsed, p50, p99, {"wrong": wrong})

    def close(self) -> None:
        """End the process and the thread that writes to it."""
        self._process.kill()
        self._process.wait()
        self._said.put(None)
        self._writer.join()
        self._stdout.close()
        # Closing flushes what the process has not read; that fails, because it has ended.
        with suppress(OSError):
            _pipe(self._process.stdin).close()

    def _send(self) -> None:
        session = f"s{next(self._numbers)}"
        self._began[session] = time.perf_counter()
        self._bodies[session] = b""
        self._said.put(self._before + session.encode() + self._after)

    def _next_end(self) -> tuple[float, bool]:
        """Return how long the next request to end took, in seconds, and whether its answer was right."""
        for line in self._stdout:
            message = _session_message(line)
            if message is None or message["session_id"] not in self._began:
                continue
            session, data = str(message["session_id"]), message["data"]
            assert isinstance(data, dict)
            if data["type"] == "end":
                right = self._bodies.pop(session) == self._answer
                return time.perf_counter() - self._began.pop(session), right
            if data["type"] == "stream":
                self._bodies[session] += bytes.fromhex(data["data"].get("result", ""))
        raise BenchError(f"the SDK's runtime ended with status {self._process.wait()}")


def _write(stdin: IO[bytes], said: "SimpleQueue[bytes | None]") -> None:
    while (line := said.get()) is not None:
        try:
            stdin.write(line)
            stdin.flush()
        except OSError:
            return


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None
    return pipe


def _session_message(line: bytes) -> Message | None:
    """Return the message about a request in a line, or None if it is a manifest, a heartbeat or empty."""
    try:
        message = json.loads(line)
    except ValueError:
        return None
    is_one = isinstance(message, dict) and message.get("event") == "session"
    return message if is_one else None


def _request_line(workload: Workload) -> tuple[bytes, bytes]:
    """Return the line that sends the workload's request, as the parts before and after the session's name."""
    lines = [f"{workload.method} {workload.path} HTTP/1.1", "Host: 127.0.0.1"]
    lines += [f"{name}: {value}" for name, value in workload.headers]
    if workload.body:
        lines.append(f"Content-Length: {len(workload.body)}")
    raw = "\r\n".join([*lines, "", ""]).encode() + workload.body
    data = {
        "user_id": "",
        "type": "endpoint",
        "action": "invoke_endpoint",
        "raw_http_request": raw.hex(),
        "settings": {},
    }
    line: Message = {"session_id": "", "event": "request", "data": data, "endpoint_id": "endpoint"}
    line |= dict.fromkeys(("conversation_id", "message_id", "app_id", "context"))
    before, after = json.dumps(line).encode().split(b'"session_id": ""', 1)
    return before + b'"session_id": "', b'"' + after + b"\n"


@contextmanager
def runtime(python: Path, plugin: Path, workload: Workload) -> Iterator[Runtime]:
    """Run the plugin in the folder ``plugin`` as Dify's daemon does; kill it at the end."""
    environment = {**child_environment(), "INSTALL_METHOD": "local"}
    with tempfile.TemporaryFile() as stderr:
        process = subprocess.Popen(
            [python, "-m", "main"],
            cwd=plugin,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            start_new_session=True,
        )
        running = Runtime(process, workload)
        try:
            yield running
        except BenchError as error:
            stderr.seek(max(0, os.fstat(stderr.fileno()).st_size - 2000))
            raise BenchError(f"{error}; it said:\n{stderr.read().decode('utf-8', 'replace')}") from error
        finally:
            running.close()
