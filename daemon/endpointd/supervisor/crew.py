"""The workers of one plugin by their parts: the present one, the next one, the old one, and those that finish behind
them."""

from dataclasses import dataclass

from endpointd.supervisor.recycling import Bounds
from endpointd.supervisor.worker import Worker, WorkerOrder


@dataclass(eq=False, slots=True)
class Part:
    """A worker in one of the parts, with what is known of it beside the process. `ready_at` is in seconds of the
    monotonic clock; `stuck` are requests that were cancelled and have not left their thread within the grace;
    `building` is the last that was heard of its environment, while that is built."""

    worker: Worker
    bounds: Bounds
    ready_at: float | None = None
    stuck: int = 0
    building: str | None = None

    @property
    def order(self) -> WorkerOrder:
        return self.worker.order


class Crew:
    """The parts, and how they change hands. What a method asserts, the table of the states guarantees."""

    def __init__(self) -> None:
        self.present: Part | None = None
        self.next: Part | None = None
        self.old: Part | None = None
        self._alive: dict[Worker, Part] = {}
        """The workers that became ready and have not ended."""
        self._requests_before = 0
        """Those of workers that have ended."""

    @property
    def alive(self) -> list[Worker]:
        return [*self._alive]

    @property
    def in_flight(self) -> int:
        return sum(worker.in_flight for worker in self._alive)

    @property
    def requests(self) -> int:
        """Those of all workers that there ever were."""
        return self._requests_before + sum(worker.requests for worker in self._alive)

    def has_begun(self, part: Part, now: float) -> None:
        """The worker is ready."""
        part.ready_at = now
        self._alive[part.worker] = part

    def has_ended(self, part: Part) -> None:
        if self._alive.pop(part.worker, None) is not None:
            self._requests_before += part.worker.requests

    # How the parts change hands

    def promote(self) -> None:
        """The present worker is gone, and the next one takes its place though it is not ready."""
        self.present, self.next = self.next, None

    def switch(self) -> None:
        self.old, self.present, self.next = self.present, self.next, None

    def switch_back(self) -> None:
        self.present, self.old = self.old, None

    def take_next(self) -> Part:
        part, self.next = self.next, None
        assert part is not None
        return part

    def take_old(self) -> Part:
        part, self.old = self.old, None
        assert part is not None
        return part
