"""What a plugin's workers are to run: what was asked for, and what there is to go back to when that fails."""

from endpointd.supervisor.worker import WorkerOrder


class Orders:
    """Three of them, mostly the same. `current` is what the next worker is to run. `wanted` is what was asked for last:
    not the current one when it has failed, and the one before was gone back to. `proved` is what the last worker ran
    that was fit to be replaced, or has stood its trial; None before there was one."""

    def __init__(self, order: WorkerOrder) -> None:
        self.current = self.wanted = order
        self.proved: WorkerOrder | None = None

    @property
    def is_behind(self) -> bool:
        """Whether an older version is to answer, because the one that was asked for has failed."""
        return self.current is not self.wanted

    def ask_for(self, order: WorkerOrder) -> None:
        self.current = self.wanted = order

    def prove(self, order: WorkerOrder) -> None:
        """Its worker is something to go back to."""
        self.proved = order

    def has_better(self, failed: WorkerOrder) -> bool:
        """Whether there is something else to go back to than what has failed."""
        return self.proved not in (None, failed)

    def go_back(self) -> None:
        """What has failed is not tried again by itself."""
        assert self.proved is not None
        self.current = self.proved
