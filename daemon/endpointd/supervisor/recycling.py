"""When a worker has served its time: so many requests, seconds or bytes, each a little different for each worker.

Pure. The difference keeps workers that began together from being replaced together.
"""

from dataclasses import dataclass, replace

JITTER = 0.1
"""The share by which a worker's own bounds may be lower than those that were set. Never higher: a bound is a bound."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """0 stands for none. `requests` is a number, `age` in seconds, `memory` in bytes."""

    requests: int = 0
    age: float = 0.0
    memory: int = 0

    def spread(self, chance: float) -> "Bounds":
        """The bounds of one worker; `chance` is a random number from 0 to 1."""
        share = 1 - JITTER * chance
        return replace(
            self,
            requests=max(1, round(self.requests * share)) if self.requests else 0,
            age=self.age * share,
            memory=round(self.memory * share),
        )

    def exceeded(self, requests: int, age: float, memory: int | None) -> str | None:
        """Which bound a worker has reached, in words; None when it may go on. `memory` is None when unknown."""
        if self.requests and requests >= self.requests:
            return f"it has answered {requests} requests"
        if self.age and age >= self.age:
            return f"it has run for {age:.0f} s"
        if self.memory and memory is not None and memory >= self.memory:
            return f"it uses {memory // (1 << 20)} MiB of memory"
        return None
