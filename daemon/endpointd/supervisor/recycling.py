"""Decides when a worker is to be recycled: after a number of requests, a time, or when it uses too much memory. Pure.

The bounds are a little different for each worker, so that workers that started together are not replaced together.
"""

from dataclasses import dataclass, replace

JITTER = 0.1
"""The fraction by which a worker's own bounds may be lower than the configured ones. They are never higher."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Bounds for one worker; 0 means none. `requests` is a number, `age` is in seconds, `memory` in bytes."""

    requests: int = 0
    age: float = 0.0
    memory: int = 0

    def spread(self, chance: float) -> "Bounds":
        """Slightly lower bounds for one worker. `chance` is a random number from 0 to 1."""
        share = 1 - JITTER * chance
        return replace(
            self,
            requests=max(1, round(self.requests * share)) if self.requests else 0,
            age=self.age * share,
            memory=round(self.memory * share),
        )

    def exceeded(self, requests: int, age: float, memory: int | None) -> str | None:
        """The bound that a worker has reached, in words; None if it may go on. `memory` is None if unknown."""
        if self.requests and requests >= self.requests:
            return f"it has answered {requests} requests"
        if self.age and age >= self.age:
            return f"it has run for {age:.0f} s"
        if self.memory and memory is not None and memory >= self.memory:
            return f"it uses {memory // (1 << 20)} MiB of memory"
        return None
