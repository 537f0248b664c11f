"""Decides from the states of the plugins whether the daemon is ready. Pure.

A plugin that is known to be broken (FATAL, BACKOFF, a refused folder) does not make the daemon unready, because one bad
plugin must not take a daemon out of service that serves all others. Operators who want exactly that choose the policy
"running".
"""

from collections.abc import Sequence
from dataclasses import dataclass

from endpointd.settings.types import ReadyPolicy

ON_THE_WAY = frozenset({"BUILDING", "STARTING"})
BROKEN = frozenset({"BACKOFF", "FATAL", "REFUSED"})


@dataclass(frozen=True, slots=True)
class Readiness:
    """`text` may be shown to anyone: it has the number of plugins in each condition, but not their names."""

    ready: bool
    text: str

    def page(self) -> tuple[int, str]:
        return 200 if self.ready else 503, self.text + "\n"


class Judge:
    """Remembers whether the start is over, because under the policy "started" plugins that are added later do not make
    the daemon unready."""

    def __init__(self) -> None:
        self._has_begun = False
        self._is_ending = False
        self._is_started = False

    def begin(self) -> None:
        """To be called when the existing plugins have been found and clients are accepted."""
        self._has_begun = True

    def end(self) -> None:
        self._is_ending = True

    def judge(self, policy: ReadyPolicy, states: Sequence[str], waking: int = 0) -> Readiness:
        """Decide by the policy (the setting `ready_when`). `states` has the state of each plugin, as shown to
        operators, and "REFUSED" for each refused folder. `waking` is how many of the plugins are starting because a
        request woke them; they count as sleeping, and do not make the daemon unready."""
        coming = sum(state in ON_THE_WAY for state in states) - waking
        broken = sum(state in BROKEN for state in states)
        self._is_started = self._is_started or (self._has_begun and not coming)
        if self._is_ending:
            return Readiness(False, "not ready: the daemon is ending")
        if not self._has_begun:
            return Readiness(False, "not ready: the daemon is starting")
        ready = {
            "started": self._is_started,
            "settled": not coming,
            "running": not coming and not broken,
        }[policy]
        running = sum(state == "RUNNING" for state in states)
        sleeping = sum(state == "SLEEPING" for state in states) + waking
        asleep = f", {sleeping} sleeping" if sleeping else ""
        counts = f"{running} running{asleep}, {coming} starting, {broken} broken"
        return Readiness(ready, f"{'ready' if ready else 'not ready'}: {counts}")
