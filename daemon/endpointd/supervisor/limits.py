"""What a worker's process may use, as it is told to the worker. Pure; `endpointd_worker.confine` applies it."""

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class ProcessLimits:
    """0 is no limit. `memory` is in bytes, `nice` is added to the daemon's own."""

    files: int = 0
    memory: int = 0
    processes: int = 0
    nice: int = 0

    def argument(self, mark: int) -> str:
        """The word of the worker's command line that carries them; `mark` is where the host's marks begin."""
        return json.dumps({**asdict(self), "mark": mark}, separators=(",", ":"))
