"""Watches the plugins directory, with inotify or by polling, and reports the folders in which something changes.

Where events may be missing (some were lost, the directory was absent, the watch was restarted) it reports `RESCAN`:
compare everything. It also does so every `RESCAN_SECONDS`, so that no change is missed for ever: inotify's queue can
overflow without watchfiles reporting it.
"""

import asyncio
import contextlib
import logging
import os
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias

import structlog
import watchfiles
from watchfiles import Change

from endpointd.folders.filesystems import kind_of, tells_changes
from endpointd.folders.paths import (
    differing,
    folder_of,
    is_part_of_plugin,
    leads_away,
    link_targets,
    sharing,
    signatures,
)

STEP_SECONDS = 0.05
"""How often watchfiles checks for events; each check wakes the process. A change is reported after one or two steps."""

LOOK_SECONDS = 1.0
"""How often symbolic links are resolved again, and how often a file system without events is polled."""

RESCAN_SECONDS = 30.0

LISTEN_AGAIN = 300.0
"""Seconds for which the directory is polled after the kernel has refused to watch it; then the kernel is tried
again."""

MANY = 1000
"""With this many events at once, others may have been lost: the kernel's queue has room for 16384."""

_STEP = round(STEP_SECONDS * 1000)


class Rescan(Enum):
    RESCAN = "rescan"


RESCAN: Final = Rescan.RESCAN

News: TypeAlias = set[str] | Rescan
Tell: TypeAlias = Callable[[News], None]

log = structlog.get_logger()


async def watch(directory: Path, poll: bool | None, stop: asyncio.Event | None = None) -> AsyncIterator[News]:
    """Yields the names of the folders in which something has changed, appeared or vanished, or `RESCAN`. The first item
    is `RESCAN`, when the watch has begun. Ends when `stop` is set.

    `poll`: poll the directory instead of using inotify; None: only if its file system has no events.
    """
    # watchfiles logs every batch of events at level info.
    logging.getLogger("watchfiles").setLevel(logging.WARNING)
    box = _Box()
    loop = asyncio.get_running_loop()
    watcher = _Watcher(directory, poll, lambda news: _hand_over(loop, box, news))
    thread = threading.Thread(target=watcher.run, name="watch", daemon=True)
    thread.start()
    try:
        async with contextlib.aclosing(box.taken(stop or asyncio.Event())) as taken:
            async for news in taken:
                yield news
    finally:
        watcher.stopped.set()
        await asyncio.to_thread(thread.join)


class _Box:
    """News that were not taken yet. Repeated news take no additional memory."""

    def __init__(self) -> None:
        self._names: set[str] = set()
        self._is_rescan = False
        self._filled = asyncio.Event()

    def put(self, news: News) -> None:
        if isinstance(news, Rescan):
            self._is_rescan = True
        else:
            self._names |= news
        self._filled.set()

    async def taken(self, stop: asyncio.Event) -> AsyncGenerator[News, None]:
        """Yields the news as they come, until `stop` is set."""
        stopped: asyncio.Future[bool] = asyncio.ensure_future(stop.wait())
        try:
            while await self._is_filled_before(stopped):
                names, is_rescan = self._names, self._is_rescan
                self._names, self._is_rescan = set(), False
                if is_rescan:
                    yield RESCAN
                if names:
                    yield names
        finally:
            stopped.cancel()

    async def _is_filled_before(self, stopped: asyncio.Future[bool]) -> bool:
        filled: asyncio.Future[bool] = asyncio.ensure_future(self._filled.wait())
        try:
            await asyncio.wait([filled, stopped], return_when=asyncio.FIRST_COMPLETED)
        finally:
            filled.cancel()
        self._filled.clear()
        return not stopped.done()


def _hand_over(loop: asyncio.AbstractEventLoop, box: _Box, news: News) -> None:
    try:
        loop.call_soon_threadsafe(box.put, news)
    except RuntimeError:
        # The loop is closed.
        return


class _Watcher:
    """Watches the directory until `stopped` is set, also while it does not exist. `run` is the body of a thread."""

    def __init__(self, directory: Path, poll: bool | None, tell: Tell) -> None:
        self.stopped = threading.Event()
        self._directory = directory
        self._poll = poll
        self._tell = tell
        self._is_away = False
        self._next_rescan = 0.0
        self._refusal: str | None = None
        """Why the kernel cannot watch the directory, as it was logged; None if it can."""
        self._ask_until = 0.0
        """When to try the kernel again (`time.monotonic`)."""
        self._listens_since = 0.0

    def run(self) -> None:
        while not self.stopped.is_set():
            try:
                real = os.path.realpath(self._directory, strict=True)
                links = link_targets(real)
                self._is_away = False
                if self._must_poll([real, *links.values()]):
                    self._ask(real, lambda _: True)
                elif self._is_refused():
                    self._ask(real, lambda _: self._is_refused())
                elif leads_away(real):
                    self._ask(real, partial(_leads_away_still, real))
                else:
                    self._listen(real, links)
            except (OSError, RuntimeError) as error:
                self._recover(error)
                self.stopped.wait(LOOK_SECONDS)

    def _must_poll(self, paths: Iterable[str]) -> bool:
        if self._poll is not None:
            return self._poll
        try:
            mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape")
        except OSError:
            return False
        return not all(tells_changes(kind_of(path, mounts)) for path in paths)

    def _recover(self, error: Exception) -> None:
        """Handle an error, before the watch is restarted. If the kernel refuses to watch, switch to polling."""
        if not os.path.isdir(self._directory):
            if not self._is_away:
                self._rescan()
            self._is_away = True
        elif (cause := _cause_of_refusal(error)) is not None and not self._poll:
            self._ask_until = time.monotonic() + LISTEN_AGAIN
            if self._refusal != str(error):
                self._refusal = str(error)
                remedy = f"{cause}; until then, changes are noticed by polling"
                log.warning("watch.polling", directory=str(self._directory), reason=self._refusal, remedy=remedy)
        else:
            log.warning("watch.interrupted", directory=str(self._directory), reason=str(error))

    def _is_refused(self) -> bool:
        return time.monotonic() < self._ask_until

    def _rescan(self) -> None:
        self._next_rescan = time.monotonic() + RESCAN_SECONDS
        self._tell(RESCAN)

    def _is_elsewhere(self, real: str) -> bool:
        """Whether the directory is not at `real` any more. Also reports a rescan if it is due."""
        if time.monotonic() >= self._next_rescan:
            self._rescan()
        return os.path.realpath(self._directory) != real

    # With inotify

    def _listen(self, real: str, links: Mapping[str, str]) -> None:
        """Watch until a link, or the directory itself, leads elsewhere. Raises OSError or RuntimeError."""
        # The first check (`_has_moved`) reports a rescan, for changes before the watch had begun.
        self._next_rescan = 0.0
        self._listens_since = time.monotonic()
        events = watchfiles.watch(
            real,
            watch_filter=lambda change, path: _is_of_interest(real, change, path),
            debounce=_STEP,
            step=_STEP,
            # With a timeout, watchfiles would lose events that come at the moment at which it runs out.
            rust_timeout=0,
            stop_event=_Pulse(self.stopped.is_set, lambda: self._has_moved(real, links)),
            raise_interrupt=False,
            force_polling=False,
        )
        with contextlib.closing(events):
            for batch in events:
                names = {folder_of(real, path) for _, path in batch}
                self._tell(sharing(real, names - {""}, links))
                if "" in names:
                    return
                if len(batch) >= MANY:
                    self._rescan()

    def _has_moved(self, real: str, links: Mapping[str, str]) -> bool:
        if self._refusal is not None and time.monotonic() - self._listens_since > RESCAN_SECONDS:
            # Only after some time, because some refusals come with the first event.
            self._refusal = None
            log.info("watch.listening", directory=str(self._directory))
        if self._is_elsewhere(real):
            return True
        names = differing(links, link_targets(real))
        if names:
            self._tell(names)
        return bool(names)

    # By polling

    def _ask(self, real: str, must_ask: Callable[[bool], bool]) -> None:
        """Poll until the directory is elsewhere, or polling is no longer necessary: `must_ask` decides that after each
        check, and is told whether something has changed. Raises OSError."""
        before = signatures(real)
        self._rescan()
        while not self.stopped.wait(LOOK_SECONDS) and not self._is_elsewhere(real):
            now = signatures(real)
            names = differing(before, now)
            before = now
            if names:
                self._tell(names)
            if not must_ask(bool(names)):
                return


def _leads_away_still(real: str, has_changed: bool) -> bool:
    return not has_changed or leads_away(real)


class _Pulse:
    """The stop event for watchfiles, which calls `is_set` at every step. It calls `look` every `LOOK_SECONDS`, first
    when the watch has just begun, and ends the watch if that returns True."""

    def __init__(self, is_stopped: Callable[[], bool], look: Callable[[], bool]) -> None:
        self._is_stopped = is_stopped
        self._look = look
        self._next_look = 0.0

    def is_set(self) -> bool:
        if self._is_stopped():
            return True
        now = time.monotonic()
        if now < self._next_look:
            return False
        self._next_look = now + LOOK_SECONDS
        return self._look()


def _is_of_interest(real: str, change: Change, path: str) -> bool:
    """Whether an event means that a plugin has changed. A modified folder does not: its files have events of their
    own."""
    if path == real:
        return change is Change.deleted
    if not is_part_of_plugin(real, path):
        return False
    if change is Change.deleted:
        return True
    is_folder = os.path.isdir(path)
    is_beside_plugins = os.path.dirname(path) == real and not is_folder
    return not is_beside_plugins and not (is_folder and change is Change.modified)


def _cause_of_refusal(error: Exception) -> str | None:
    """The remedy if the kernel, or watchfiles, has refused to watch the directory; None for other errors."""
    text = str(error)
    if "Unable to decode path" in text:
        return "give the file or folder a name that is UTF-8"
    if isinstance(error, PermissionError) or "os error 13" in text:
        return "let the daemon read all folders"
    if any(sign in text for sign in ("watch limit", "os error 24", "os error 28")):
        return "raise the sysctl fs.inotify.max_user_watches or fs.inotify.max_user_instances"
    return None
