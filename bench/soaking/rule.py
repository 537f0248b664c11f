"""The rule that decides which failed requests are explained by a disturbance. Pure; times are in seconds of one clock.

A disturbance that takes away a worker, or the plugin's folder, opens a *window*: a plugin, an interval of time, and the
kinds of failures that are allowed in it. A window accounts for a failed request if all of these are true:

* it was sent to the window's plugin;
* it was in progress at some moment of the window;
* the window allows the kind of failure: if a worker was taken away, the daemon's error for that (502 `worker_gone`), or
  a connection that was broken off within an answer; if the folder was, 404 `plugin_removed`, or 503 `plugin_stopped`
  for a request that was waiting for a place;
* if both are known, the worker that answered it is the one that was taken away.

Every other failure is a lost request: a wrong or incomplete answer, a timeout, any failure of another plugin, any
failure because of an edit, a restart, a rollback or an installation.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

BROKEN_OFF = "broken off"
GONE = frozenset({"502 worker_gone", BROKEN_OFF})
AWAY = frozenset({"404 plugin_removed", "503 plugin_stopped"})

SLACK = 1.0
"""Seconds after the end of a worker in which, on a busy machine, the daemon may still send a request to it."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A request without a right answer. `sent` and `ended` are times; `pid` is that of the worker that had begun to
    answer, if one had."""

    plugin: str
    request: str
    kind: str
    sent: float
    ended: float
    pid: int | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """What a disturbance allows (see above). `pid` is that of the worker that was taken away, if that is known."""

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
    """Returns the numbers of failures that are accounted for, by disturbance and kind, and the other failures."""
    accounted: dict[str, Counter[str]] = {}
    lost: list[Failure] = []
    for failure in failures:
        window = next((one for one in windows if one.accounts_for(failure)), None)
        if window is None:
            lost.append(failure)
        else:
            accounted.setdefault(window.disturbance, Counter())[failure.kind] += 1
    return accounted, lost
