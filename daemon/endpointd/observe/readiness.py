"""Whether the daemon is ready, by the states of its plugins. Pure.

A plugin that is known to be broken (FATAL, BACKOFF, a folder that is refused) keeps nobody waiting: one bad plugin is
not to take a daemon that serves all others out of service. The policy "running" is for those who want just that.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from endpointd.setting_types import ReadyPolicy

ON_THE_WAY = frozenset({"BUILDING", "STARTING"})
BROKEN = frozenset({"BACKOFF", "FATAL", "REFUSED"})


@dataclass(frozen=True, slots=True)
class Readiness:
    """`text` is what strangers may know: how many plugins there are in which condition, but not which."""

    ready: bool
    text: str

    def page(self) -> tuple[int, str]:
        return 200 if self.ready else 503, self.text + "\n"


class Judge:
    """Remembers whether the start is over: what is added later keeps nobody waiting under the policy "started"."""

    def __init__(self) -> None:
        self._has_begun = False
        self._is_ending = False
        self._is_started = False

    def begin(self) -> None:
        """The plugins that were there have been found, and clients are accepted."""
        self._has_begun = True

    def end(self) -> None:
        self._is_ending = True

    def judge(self, policy: ReadyPolicy, states: Sequence[str], waking: int = 0) -> Readiness:
        """`states` are the operators' words, one for each plugin and each refused folder; so many of them as are
        `waking` start because a request has come, which is nothing to be taken out of service for."""
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
