"""Clients that ask as fast as they are answered, and remember every answer that was not right."""

import threading
from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import Self

from support.raw_http import Answer, Broken, Client, Malformed, plain


class Load:
    """`clients` connections that ask for `path` until the block ends; `right` judges an answer. Without `keep` each
    request has a connection of its own."""

    def __init__(
        self, url: str, path: str, right: Callable[[Answer], bool], clients: int = 4, *, keep: bool = True
    ) -> None:
        self.answered = 0
        self.wrong: Counter[str] = Counter()
        """What was wrong, and how often."""
        self._url = url
        self._request = plain(path)
        self._right = right
        self._keep = keep
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._ask, daemon=True) for _ in range(clients)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _ask(self) -> None:
        while not self._over.is_set():
            try:
                with Client(self._url) as client:
                    self._ask_on(client)
            except (Broken, Malformed, OSError) as error:
                self._note(f"{type(error).__name__}: {error}")

    def _ask_on(self, client: Client) -> None:
        while not self._over.is_set():
            client.send(self._request)
            answer = client.read()
            self._note(None if self._right(answer) else f"{answer.status} {answer.body[:200]!r}")
            if answer.closes or not self._keep:
                return

    def _note(self, wrong: str | None) -> None:
        with self._lock:
            self.answered += 1
            if wrong is not None:
                self.wrong[wrong] += 1
