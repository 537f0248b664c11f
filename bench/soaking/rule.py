"""The rule of attribution: which failed requests a disturbance accounts for. Pure; times are in seconds of one clock.

A disturbance that takes a worker away, or the plugin's folder, opens a *window*: a plugin, a span of time, and what may
happen in it. A failed request is accounted for by a window when all of this holds:

* it was sent to the window's plugin;
* it was under way at some moment of the window;
* how it failed is among what the window allows: for a worker that is gone, that the daemon says so (502 `worker_gone`)
  or that the connection ends within an answer that had begun; for a folder that is away, 404 `plugin_removed` or, for
  a request that waited for a place, 503 `plugin_stopped`;
* where both are known, the worker that answered it is the one that was taken away.

Whatever else fails is a loss that nothing excuses: an answer that is wrong or not whole, a time-out, any failure at
another plugin, any failure by an edit, a restart, a rollback or an installation.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

BROKEN_OFF = "broken off"
GONE = frozenset({"502 worker_gone", BROKEN_OFF})
AWAY = frozenset({"404 plugin_removed", "503 plugin_stopped"})

SLACK = 1.0
"""Seconds after the end of a worker in which the daemon may still pass a request to it, on a machine that is busy."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A request that was not answered rightly; `pid` is of the worker that had begun to answer, if one had."""

    plugin: str
    request: str
    kind: str
    sent: float
    ended: float
    pid: int | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """`pid` is of the worker that was taken away, where it was one and is known."""

    disturbance: str
    plugin: str
    began: float
    ended: float
    allows: frozenset[str]
    pid: int | None = None

    def accounts_for(self, failure: Failure) -> bool:
        return (
            failure.plugin == self.plugin
            and failure.kind in self.allows
            and failure.sent <= self.ended
            and failure.ended >= self.began
            and (self.pid is None or failure.pid is None or self.pid == failure.pid)
        )


def attribute(failures: Iterable[Failure], windows: Sequence[Window]) -> tuple[dict[str, Counter[str]], list[Failure]]:
    """The failures that are accounted for, counted by disturbance and kind, and those that are not."""
    accounted: dict[str, Counter[str]] = {}
    lost: list[Failure] = []
    for failure in failures:
        window = next((one for one in windows if one.accounts_for(failure)), None)
        if window is None:
            lost.append(failure)
        else:
            accounted.setdefault(window.disturbance, Counter())[failure.kind] += 1
    return accounted, lost
