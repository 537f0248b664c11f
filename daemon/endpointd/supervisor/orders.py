"""The orders for a plugin's workers: the one that was asked for, and the one to go back to if that fails."""

from endpointd.supervisor.worker import WorkerOrder


class Orders:
    """Three orders, which are mostly the same. `current` is what the next worker is to run. `wanted` is what was asked
    for last; it differs from `current` if it has failed and the plugin has gone back to the one before. `proved` is the
    order to go back to, None before there is one: that of the last worker that served when it was to be replaced, or
    that passed its trial; or the first order of a plugin that starts asleep."""

    def __init__(self, order: WorkerOrder) -> None:
        self.current = self.wanted = order
        self.proved: WorkerOrder | None = None

    @property
    def is_behind(self) -> bool:
        """Whether an older version serves because the one that was asked for has failed."""
        return self.current is not self.wanted

    def ask_for(self, order: WorkerOrder) -> None:
        self.current = self.wanted = order

    def prove(self, order: WorkerOrder) -> None:
        """Note that `order` works, and can be gone back to."""
        self.proved = order

    def has_better(self, failed: WorkerOrder) -> bool:
        """Whether there is another order to go back to than the one that has failed."""
        return self.proved not in (None, failed)

    def go_back(self) -> None:
        """Go back to the proved order. The failed one is not tried again unless it is asked for."""
        assert self.proved is not None
        self.current = self.proved
