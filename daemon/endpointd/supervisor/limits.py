"""The resource limits of a worker's process, in the form in which the worker is given them. Pure;
`endpointd_worker.confine` applies them."""

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class ProcessLimits:
    """0 means no limit. `memory` is in bytes, and `nice` is added to the daemon's own nice value. `files` is the number
    of open files."""

    files: int = 0
    memory: int = 0
    processes: int = 0
    nice: int = 0

    def argument(self, mark: int) -> str:
        """The argument of the worker's command line with the limits and `mark`, the base of the host's marks
        (`keeper`)."""
        return json.dumps({**asdict(self), "mark": mark}, separators=(",", ":"))
