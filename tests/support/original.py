"""The SDK's own runtime: a plugin's `main.py`, run as Dify's daemon runs it, over lines of JSON on stdin and stdout.

The test is the daemon: it sends requests as hexadecimal HTTP, and answers what the plugin asks of it.
"""

import json
import os
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from queue import Queue
from typing import Any

from support.host_end import WAIT_SECONDS

START_SECONDS = 60.0

Headers = Sequence[tuple[str, str]]
AnswerCall = Callable[[str, dict[str, Any]], Iterator[dict[str, Any]]]
"""Replies to a call of this type with this request. Whatever it raises is the error that the plugin is told."""


@dataclass
class OriginalAnswer:
    """What the runtime said to one request. `error` is its error event, in the place of an answer or amid one."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    error: dict[str, Any] | None = None


class OriginalRuntime:
    """A running plugin. TimeoutError: it says nothing."""

    def __init__(self, process: "subprocess.Popen[str]", answer_call: AnswerCall) -> None:
        self._process = process
        self._answer_call = answer_call
        self._said: dict[str, Queue[dict[str, Any]]] = {}
        self._ready = threading.Event()
        self._lock = threading.Lock()
        self._numbers = iter(range(1, 1_000_000))
        self.other_lines: list[str] = []
        """What it printed besides its protocol."""
        threading.Thread(target=self._listen, daemon=True).start()
        if not self._ready.wait(START_SECONDS):
            raise TimeoutError(f"the runtime is not ready: {self.other_lines}")

    def ask(
        self,
        method: str,
        target: str,
        headers: Headers = (),
        body: bytes = b"",
        settings: Mapping[str, Any] | None = None,
    ) -> OriginalAnswer:
        answer = OriginalAnswer()
        for message in self.messages(method, target, headers, body, settings):
            if message["type"] == "error":
                answer.error = message["data"]
                continue
            data = message["data"]
            answer.status = data.get("status", answer.status)
            answer.headers |= data.get("headers", {})
            answer.body += bytes.fromhex(data.get("result", ""))
        return answer

    def messages(
        self, method: str, target: str, headers: Headers, body: bytes, settings: Mapping[str, Any] | None
    ) -> Iterator[dict[str, Any]]:
        """What comes for one request until its end; as it comes."""
        with self._lock:
            session = f"session-{next(self._numbers)}"
        queue = self._said[session] = Queue()
        data = {
            "user_id": "",
            "type": "endpoint",
            "action": "invoke_endpoint",
            "raw_http_request": raw_request(method, target, headers, body).hex(),
            "settings": dict(settings or {}),
        }
        self._say(session, "request", data)
        while (message := queue.get(timeout=WAIT_SECONDS))["type"] != "end":
            yield message
        del self._said[session]

    def _say(self, session: str, event: str, data: dict[str, Any]) -> None:
        line: dict[str, Any] = {"session_id": session, "event": event, "data": data, "endpoint_id": "endpoint"}
        line |= dict.fromkeys(("conversation_id", "message_id", "app_id", "context"))
        assert self._process.stdin is not None
        with self._lock:
            self._process.stdin.write(json.dumps(line) + "\n")
            self._process.stdin.flush()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            try:
                message = json.loads(line)
            except ValueError:
                if line.strip():
                    self.other_lines.append(line)
                continue
            if not isinstance(message, dict):
                continue
            if message.get("event") == "heartbeat":
                self._ready.set()
            elif message.get("event") == "session":
                self._hear(message["session_id"], message["data"])
            elif message.get("event") in ("error", "log"):
                self.other_lines.append(line)
        self.other_lines.append(f"it ended: {self._process.wait()}")

    def _hear(self, session: str, message: dict[str, Any]) -> None:
        if message["type"] == "invoke":
            threading.Thread(target=self._reply, args=(session, message["data"]), daemon=True).start()
        elif session in self._said:
            self._said[session].put(message)

    def _reply(self, session: str, call: dict[str, Any]) -> None:
        number = call["backwards_request_id"]

        def say(event: str, data: object = None, text: str = "struct") -> None:
            reply = {"backwards_request_id": number, "event": event, "message": text, "data": data}
            self._say(session, "backwards_response", reply)

        try:
            for item in self._answer_call(call["type"], call["request"]):
                say("response", item)
        except Exception as error:  # noqa: BLE001 - told to the plugin
            say("error", text=str(error))
        say("end")


def raw_request(method: str, target: str, headers: Headers, body: bytes) -> bytes:
    """As the original's daemon writes one: with a length, and no body where there is none."""
    lines = [f"{method} {target} HTTP/1.1", "Host: plugins.example", *(f"{name}: {value}" for name, value in headers)]
    if body or method in ("POST", "PUT"):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


@contextmanager
def original_runtime(folder: Path, python: Path, answer_call: AnswerCall) -> Iterator[OriginalRuntime]:
    """Run the plugin in `folder`; killed at the end. What it writes to stderr is for pytest to show."""
    environment = {"PATH": os.environ["PATH"], "INSTALL_METHOD": "local", "PYTHONDONTWRITEBYTECODE": "1"}
    process = subprocess.Popen(
        [str(python), "-m", "main"],
        cwd=folder,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with process:
        try:
            yield OriginalRuntime(process, answer_call)
        finally:
            process.kill()
