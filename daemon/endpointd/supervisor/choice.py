"""Chooses which of several workers is given the next request. Pure."""

from collections.abc import Iterable
from typing import Generic, Protocol, TypeVar


class Accepting(Protocol):
    def free_places(self) -> int:
        """How many more requests the worker can be given now."""


WorkerT = TypeVar("WorkerT", bound=Accepting)


class Choice(Generic[WorkerT]):
    """Chooses the worker with the most free places, which has the fewest requests in flight, because all have the same
    number of places. Of several such workers, chooses the least recently chosen one."""

    def __init__(self, workers: Iterable[WorkerT]) -> None:
        self._turns = [*workers]
        """The workers, the least recently chosen one first."""

    def free_places(self) -> int:
        """The number of free places at all workers."""
        return sum(worker.free_places() for worker in self._turns)

    def choose(self, promised: int = 0) -> WorkerT | None:
        """The worker for the next request; None if no more than `promised` places are free altogether."""
        chosen, most, free = 0, 0, 0
        for turn, worker in enumerate(self._turns):
            places = worker.free_places()
            free += places
            if places > most:
                chosen, most = turn, places
        if free <= promised:
            return None
        worker = self._turns.pop(chosen)
        self._turns.append(worker)
        return worker
