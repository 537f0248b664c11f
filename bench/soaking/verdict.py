"""The result of the soak: as tables for people, as a JSON document, and as an exit status. Pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from soaking.daemon import Held
from soaking.ledger import Ledger
from soaking.rule import Window, attribute

EXPECTED = frozenset({"worker.failed", "plugin.log", "request.refused", "response.aborted", "plugins.run_as_root"})
"""Events of level warning or above that disturbances cause. Any other such event is a fault."""
SHOWN = 20


@dataclass(frozen=True, slots=True)
class Found:
    """All that the soak has found. `held` are the daemon's resources at the start, in the middle of the run, and at the
    end without load; `status` is the daemon's exit status, None if it had to be killed; `left` are the pids of workers
    that outlived the daemon."""

    seed: int
    seconds: float
    ledger: Ledger
    windows: Sequence[Window]
    done: Counter[str]
    faults: Sequence[str]
    events: Sequence[dict[str, Any]]
    held: tuple[Held, Held, Held]
    status: int | None
    left: Sequence[int]
    machine: dict[str, str | int | float]


class Verdict:
    def __init__(self, found: Found) -> None:
        self.found = found
        self.accounted, self.lost = attribute(found.ledger.failures, found.windows)
        self.reasons = [*self._reasons()]

    def _reasons(self) -> list[str]:
        """Why the soak failed; empty if it did not."""
        found = self.found
        start, _, end = found.held
        strange = [event for event in found.events if is_strange(event)]
        reasons = [f"{len(self.lost) + found.ledger.failures_not_kept} requests were lost"] * bool(
            self.lost or found.ledger.failures_not_kept
        )
        reasons += [f"nothing was asked of {name}" for name, asked in self._asked().items() if not asked]
        reasons += found.faults
        reasons += [f"the log has {event}" for event in strange[:SHOWN]]
        if (end.files, end.children) != (start.files, start.children):
            reasons.append(f"the daemon holds {end}, and held {start}")
        if found.status != 0:
            reasons.append(f"the daemon ended with status {found.status}")
        if found.left:
            reasons.append(f"processes outlived the daemon: {list(found.left)}")
        return reasons

    def _asked(self) -> Counter[str]:
        asked = Counter(dict.fromkeys(("small", "stream", "upload"), 0))
        for (_, request), number in self.found.ledger.right.items():
            asked[request] += number
        return asked

    @property
    def exit_status(self) -> int:
        return 1 if self.reasons else 0

    def as_dict(self) -> dict[str, Any]:
        found, ledger = self.found, self.found.ledger
        return {
            "seed": found.seed,
            "seconds": round(found.seconds, 1),
            "machine": found.machine,
            "requests": ledger.sent,
            "right": dict(self._asked()),
            "latency_seconds": {
                request: {"p50": one.quantile(0.5), "p99": one.quantile(0.99), "most": one.quantile(1.0)}
                for request, one in sorted(ledger.latencies.items())
            },
            "disturbances": dict(found.done),
            "failed_by_disturbance": {name: dict(kinds) for name, kinds in self.accounted.items()},
            "lost": [str(failure) for failure in self.lost],
            "held": {name: one.as_dict() for name, one in zip(("start", "middle", "end"), found.held, strict=True)},
            "workers": len(ledger.workers),
            "reasons": self.reasons,
        }

    def report(self) -> str:
        found, ledger = self.found, self.found.ledger
        right = sum(ledger.right.values())
        lines = [
            f"seed {found.seed}, {found.seconds / 60:.1f} minutes, {sum(found.done.values())} disturbances,"
            f" {len(ledger.workers)} workers; {found.machine}",
            "",
            f"requests          {ledger.sent:>10,}",
            f"answered right    {right:>10,}",
            f"failed, explained {sum(kinds.total() for kinds in self.accounted.values()):>10,}",
            f"lost              {len(self.lost) + ledger.failures_not_kept:>10,}",
            "",
            *self._latency_table(),
            "",
            *self._disturbance_table(),
            "",
            *self._held_table(),
            "",
        ]
        lines += [f"lost: {failure}" for failure in self.lost[:SHOWN]]
        lines += [f"FAILED: {reason}" for reason in self.reasons] or ["No request was lost that should not have been."]
        return "\n".join(lines)

    def _latency_table(self) -> list[str]:
        rows = [f"{'':10}{'requests':>10}{'p50 ms':>10}{'p99 ms':>10}{'most ms':>10}"]
        for request, one in sorted(self.found.ledger.latencies.items()):
            figures = "".join(f"{one.quantile(share) * 1000:>10.1f}" for share in (0.5, 0.99, 1.0))
            rows.append(f"{request:10}{one.count:>10,}{figures}")
        return rows

    def _disturbance_table(self) -> list[str]:
        rows = [f"{'disturbance':28}{'times':>6}  failed requests that it accounts for"]
        for name, times in sorted(self.found.done.items()):
            kinds = ", ".join(f"{number} {kind}" for kind, number in sorted(self.accounted.get(name, {}).items()))
            rows.append(f"{name:28}{times:>6}  {kinds or '0'}")
        return rows

    def _held_table(self) -> list[str]:
        rows = [f"{'the host holds':16}{'MiB':>8}{'files':>8}{'threads':>9}{'children':>10}"]
        for name, one in zip(("at the start", "in the middle", "at the end"), self.found.held, strict=True):
            rows.append(f"{name:16}{one.memory / 2**20:>8.1f}{one.files:>8}{one.threads:>9}{one.children:>10}")
        return rows


def is_strange(event: dict[str, Any]) -> bool:
    """Whether the daemon complains about something that no disturbance explains."""
    return event.get("level") not in ("debug", "info") and event.get("event") not in EXPECTED
