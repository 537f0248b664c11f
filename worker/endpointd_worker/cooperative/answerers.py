"""The greenlets that answer requests, and what becomes of them in a child that one of them forks.

gevent has all greenlets go on in a child. Those of requests are not its business: what they do would be done twice, on
the same connections. So they are never run there, but for the one that has forked it. They are not ended either: that
would run their `finally`.
"""

import gc
import os
from collections.abc import Callable
from typing import Any

from gevent import Greenlet, GreenletExit, getcurrent
from gevent.hub import Waiter


class Answerers:
    """Those of this process. `orphaned` is called in a child, when the greenlet that has forked it has ended.
    `watcher` is the kind that the loop has for descriptors."""

    def __init__(self, orphaned: Callable[[object], object], watcher: type[Any]) -> None:
        self._orphaned = orphaned
        self._watcher = watcher
        self._forker: Any = None
        """In a child, who has forked it."""
        os.register_at_fork(after_in_child=self._be_child)

    def has(self, greenlet: object) -> bool:
        """Whether it is to run in this process."""
        return self._forker is None or self._forker is greenlet

    def _be_child(self) -> None:
        self._forker = getcurrent()
        if isinstance(self._forker, Greenlet):
            self._forker.rawlink(self._orphaned)

    def still(self, waiter: Waiter) -> None:
        """Have the loop look no longer at the descriptor that `waiter` is told of, which would keep it busy: there goes
        on to be something to read, say. gevent keeps no list of who looks at what."""
        for arguments in gc.get_referrers(waiter):
            for watcher in gc.get_referrers(arguments):
                if type(watcher) is self._watcher:
                    watcher.stop()


class Answerer(Greenlet):  # type: ignore[misc]
    def __init__(self, answerers: Answerers, run: Callable[[], None]) -> None:
        super().__init__(run)
        self._answerers = answerers
        self._is_refused = False
        """Whether it was to be run in a child before."""

    def switch(self, *values: Any) -> Any:  # noqa: ANN401 - anybody's
        if self._answerers.has(self):
            return super().switch(*values)
        # A clock would do so once only, and to search takes long.
        if self._is_refused and values and isinstance(values[0], Waiter):
            self._answerers.still(values[0])
        self._is_refused = True
        return None

    def throw(self, *error: Any) -> Any:  # noqa: ANN401 - anybody's
        # A timeout is of what it was at, and so none of this process's; but somebody here may kill it, and means that.
        if self._answerers.has(self) or _is_exit(*error):
            return super().throw(*error)
        return None


def _is_exit(error: Any = GreenletExit, *_: object) -> bool:  # noqa: ANN401 - a class, or one of its instances
    return issubclass(error if isinstance(error, type) else type(error), GreenletExit)
