"""Shows the progress of long operations: on stderr, only on a terminal, and not with `--quiet`."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeAlias, TypeVar

from rich.progress import BarColumn, DownloadColumn, Progress, SpinnerColumn, TextColumn, TransferSpeedColumn
from rich.status import Status
from rich.text import Text

from endpointd.cli.output import is_quiet, stderr
from endpointd.errors import OperatorError
from endpointd.manifest.findings import one_line

ASK = 1.0
"""Seconds between two queries of the progress."""

T = TypeVar("T")
Told: TypeAlias = Callable[[int, int], None]
"""A progress callback: the number of bytes that are done, and the total."""


def is_shown() -> bool:
    return stderr().is_terminal and not is_quiet()


def waiting(what: str, act: Callable[[], T], news: Callable[[], str | None] | None = None) -> T:
    """Show a message during the block, and a line from `news`, which is called each second in another thread."""
    if not is_shown():
        return act()
    with stderr().status(Text(one_line(f"{what} …"))) as status:
        if news is None:
            return act()
        with _followed(status, what, news):
            return act()


@contextmanager
def _followed(status: Status, what: str, news: Callable[[], str | None]) -> Iterator[None]:
    over = threading.Event()

    def follow() -> None:
        while not over.wait(ASK):
            # Errors are reported by the operation itself, not by its progress.
            with suppress(OperatorError):
                line = news()
                status.update(Text(one_line(f"{what}: {line}" if line else f"{what} …"), overflow="ellipsis"))

    thread = threading.Thread(target=follow, name="news", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(ASK)


@contextmanager
def bar(what: str, then: str = "") -> Iterator[Told]:
    """Show a progress bar of bytes during the block, from the first callback on; when it is full, the message
    `then`."""
    if not is_shown():
        yield lambda *_: None
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn())
    with Progress(*columns, TransferSpeedColumn(), console=stderr(), transient=True) as progress:
        task = progress.add_task(one_line(what), total=None)

        def tell(done: int, total: int) -> None:
            words = then if then and done >= total else what
            progress.update(task, completed=done, total=total, description=one_line(words))

        yield tell
