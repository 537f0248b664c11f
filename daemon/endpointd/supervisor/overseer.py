"""What those who deal with a plugin's workers need of whoever keeps the table of its states."""

from typing import Protocol

from endpointd.supervisor.crew import Member, Team
from endpointd.supervisor.rules import Rules
from endpointd.supervisor.state import Event, Life
from endpointd.supervisor.worker import StartFailed


class Overseer(Protocol):
    """The supervisor. What is asked of it may change with every call of `happen`."""

    @property
    def life(self) -> Life: ...

    @property
    def rules(self) -> Rules: ...

    def happen(self, event: Event, team: Team | None = None) -> None:
        """Let the table decide, and have done what it decides. News of a `team` that is not, or is no longer, the
        present one changes nothing; None is for what concerns the plugin, or another team."""

    def changed(self) -> None:
        """Workers have come or gone, and the table has nothing to decide about that."""

    def note_failure(self, member: Member, error: StartFailed, *, kept: bool) -> None:
        """A worker has failed that was wanted; `kept` tells whether others go on answering."""
