"""The greenlets that run requests, and how they are stopped in a process that one of them forks.

After a fork, gevent continues all greenlets in the child too. The greenlets of requests must not go on there: their
work would be done twice, on the same connections. So none of them is ever resumed in a child except the one that
forked. They are not killed either, because that would run their `finally` blocks.
"""

import gc
import os
from collections.abc import Callable
from typing import Any

from gevent import Greenlet, GreenletExit, getcurrent
from gevent.hub import Waiter


class Answerers:
    """Knows which greenlets may run in this process. `orphaned` is called in a forked child, when the greenlet that
    forked has ended. `watcher` is the class of the event loop's watchers for descriptors."""

    def __init__(self, orphaned: Callable[[object], object], watcher: type[Any]) -> None:
        self._orphaned = orphaned
        self._watcher = watcher
        self._forker: Any = None
        """In a forked child: the greenlet that forked."""
        os.register_at_fork(after_in_child=self._after_fork)

    def has(self, greenlet: object) -> bool:
        """Whether `greenlet` may run in this process."""
        return self._forker is None or self._forker is greenlet

    def _after_fork(self) -> None:
        self._forker = getcurrent()
        if isinstance(self._forker, Greenlet):
            self._forker.rawlink(self._orphaned)

    def stop_polling(self, waiter: Waiter) -> None:
        """Stop the event loop from polling the descriptor that `waiter` waits for. Nobody will read what is there, so
        the descriptor would stay ready and keep the loop busy. gevent has no list of its watchers, so the garbage
        collector's references are searched."""
        for arguments in gc.get_referrers(waiter):
            for watcher in gc.get_referrers(arguments):
                if type(watcher) is self._watcher:
                    watcher.stop()


class Answerer(Greenlet):  # type: ignore[misc]  # gevent has no types
    """A greenlet that runs requests. Ignores attempts to resume it in a process where it must not run."""

    def __init__(self, answerers: Answerers, run: Callable[[], None]) -> None:
        super().__init__(run)
        self._answerers = answerers
        self._is_refused = False
        """Whether an attempt to resume it was ignored before."""

    def switch(self, *values: Any) -> Any:  # noqa: ANN401 - anybody's
        if self._answerers.has(self):
            return super().switch(*values)
        # The search takes long, so only at the second attempt: a timer makes only one, a ready descriptor many.
        if self._is_refused and values and isinstance(values[0], Waiter):
            self._answerers.stop_polling(values[0])
        self._is_refused = True
        return None

    def throw(self, *error: Any) -> Any:  # noqa: ANN401 - anybody's
        # A timeout belongs to work that does not go on here, so it is ignored. But code in this process may kill the
        # greenlet, and that is obeyed.
        if self._answerers.has(self) or _is_exit(*error):
            return super().throw(*error)
        return None


def _is_exit(error: Any = GreenletExit, *_: object) -> bool:  # noqa: ANN401 - a class, or one of its instances
    return issubclass(error if isinstance(error, type) else type(error), GreenletExit)
