"""The part of the supervisor that the modules below it use."""

from typing import Protocol

from endpointd.supervisor.crew import Member, Team
from endpointd.supervisor.rules import Rules
from endpointd.supervisor.state import Event, Life
from endpointd.supervisor.worker import StartFailed


class Overseer(Protocol):
    """The supervisor. Its properties may change with every call of `happen`."""

    @property
    def life(self) -> Life: ...

    @property
    def rules(self) -> Rules: ...

    def happen(self, event: Event, team: Team | None = None) -> None:
        """Let the state table decide about an event, and perform its actions. An event of a `team` that is not, or is
        no longer, the present one is ignored; `team` is None if the event concerns the plugin, or the next or old
        team."""

    def changed(self) -> None:
        """Workers have come or gone without an event for the state table."""

    def note_failure(self, member: Member, error: StartFailed, *, kept: bool) -> None:
        """Record the failure of a worker that was wanted. `kept` says whether other workers go on serving."""
