"""The load: clients that send requests at a limited pace, check every answer, and record the result of each request."""

import http.client
import json
import random
import threading
import time
from collections.abc import Callable
from urllib.parse import urlencode, urlsplit

from soaking.answers import decoded, fault_of_body, fault_of_stream, fault_of_upload
from soaking.ledger import Ledger
from soaking.rule import BROKEN_OFF, Failure

TIMEOUT = 60.0
"""Seconds; longer than every wait that the daemon allows by default."""
REQUESTS_PER_CONNECTION = 200
PAUSE = 0.02
"""The longest pause in seconds between two requests of a client. The load is steady and does not saturate the machine,
so that latencies are those of the daemon and not of a queue."""
LARGEST_UPLOAD = 2 * 1024 * 1024

Ended = tuple[str | None, float]
"""What was wrong, if anything, and the seconds to the end of the answer (to its head, for a stream)."""


class Target:
    """A plugin as seen by its clients. `latest` is the newest version that was ever put into its folder."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.latest = 0


class Refused(Exception):
    """The answer has another status than 200. The text is the status and the code."""


class Client(threading.Thread):
    """One client of one plugin, which runs until `over` is set. `request` is "small", "stream" or "upload"."""

    def __init__(
        self, url: str, target: Target, request: str, ledger: Ledger, over: threading.Event, seed: str
    ) -> None:
        super().__init__(name=f"{request} {target.name} {seed}", daemon=True)
        self._address = urlsplit(url)
        self._target = target
        self._request = request
        self._ledger = ledger
        self._over = over
        self._random = random.Random(seed)
        self._name = seed
        self._connection: http.client.HTTPConnection | None = None
        self._pid: int | None = None
        """The pid of the worker that has begun to answer the current request, if known."""

    def run(self) -> None:
        ask: Callable[[str], Ended] = {"small": self._small, "stream": self._stream, "upload": self._upload}[
            self._request
        ]
        number = 0
        while not self._over.wait(self._random.random() * PAUSE):
            number += 1
            if number % REQUESTS_PER_CONNECTION == 0:
                self._leave()
            self._one(ask, f"{self._name}-{number}")
        self._leave()

    def _one(self, ask: Callable[[str], Ended], nonce: str) -> None:
        sent = time.monotonic()
        wrong: str | None
        try:
            wrong, seconds = ask(nonce)
        except Refused as refusal:
            wrong, seconds = str(refusal), 0.0
        except TimeoutError:
            wrong, seconds = "time-out", 0.0
        except (OSError, http.client.HTTPException) as error:
            wrong, seconds = (BROKEN_OFF if _is_broken(error) else repr(error)), 0.0
        if wrong is None and self._pid is not None:
            self._ledger.note_right(self._target.name, self._request, seconds, self._pid)
            return
        self._leave()
        kind = wrong or "answer without a worker"
        self._ledger.note_failure(Failure(self._target.name, self._request, kind, sent, time.monotonic(), self._pid))

    # Requests

    def _small(self, nonce: str) -> Ended:
        began = time.monotonic()
        response = self._ask("GET", nonce, what="say")
        body = response.read()
        seconds = time.monotonic() - began
        self._note_pid(body)
        return fault_of_body(body, self._target.name, nonce, self._target.latest), seconds

    def _stream(self, nonce: str) -> Ended:
        pieces, pause = self._random.randint(5, 30), self._random.random() * 0.1
        began = time.monotonic()
        response = self._ask("GET", nonce, what="stream", pieces=pieces, pause=f"{pause:.3f}")
        seconds = time.monotonic() - began
        first = response.readline()
        self._note_pid(first)
        body = first + response.read()
        wrong = fault_of_stream(body, self._target.name, nonce, self._target.latest, pieces)
        return wrong, seconds

    def _upload(self, nonce: str) -> Ended:
        sent = self._random.randbytes(self._random.randint(1, LARGEST_UPLOAD))
        began = time.monotonic()
        body = self._ask("POST", nonce, sent, what="upload").read()
        seconds = time.monotonic() - began
        self._note_pid(body)
        return fault_of_upload(body, self._target.name, nonce, self._target.latest, sent), seconds

    def _ask(self, method: str, nonce: str, body: bytes | None = None, **query: object) -> http.client.HTTPResponse:
        """Send a request; returns the head of the answer. Raises `Refused` if the status is not 200."""
        self._pid = None
        if self._connection is None:
            self._connection = http.client.HTTPConnection(
                self._address.hostname or "", self._address.port, timeout=TIMEOUT
            )
        self._connection.request(method, f"/e/{self._target.name}/?{urlencode({'nonce': nonce, **query})}", body)
        response = self._connection.getresponse()
        if response.status != 200:
            raise Refused(f"{response.status} {_code(response.read())}")
        return response

    def _note_pid(self, body: bytes) -> None:
        document = decoded(body)
        if isinstance(document, dict) and isinstance(document.get("pid"), int):
            self._pid = document["pid"]

    def _leave(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _is_broken(error: Exception) -> bool:
    """Whether the error is that the connection was broken, and not that the client could not parse the answer."""
    return isinstance(error, http.client.IncompleteRead | ConnectionResetError | BrokenPipeError)


def _code(body: bytes) -> str:
    try:
        return str(json.loads(body)["code"])
    except (ValueError, KeyError, TypeError):
        return "without a code"
