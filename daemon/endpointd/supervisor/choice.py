"""Which of several workers is given the next request. Pure."""

from collections.abc import Iterable
from typing import Generic, Protocol, TypeVar


class Accepting(Protocol):
    def free_places(self) -> int:
        """How many more requests may be handed over now."""


WorkerT = TypeVar("WorkerT", bound=Accepting)


class Choice(Generic[WorkerT]):
    """The one with the most free places: all have as many, so that it has the fewest requests in flight. Of those that
    are equal, the one that was chosen longest ago."""

    def __init__(self, workers: Iterable[WorkerT]) -> None:
        self._turns = [*workers]
        """The one that was chosen longest ago first."""

    def free_places(self) -> int:
        """Those of all."""
        return sum(worker.free_places() for worker in self._turns)

    def choose(self, promised: int = 0) -> WorkerT | None:
        """None when no more than `promised` places are free."""
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
