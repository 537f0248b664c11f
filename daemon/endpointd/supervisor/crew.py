"""The workers of one plugin, in teams: the present, the next and the old one; besides, workers that have left their
team and are finishing."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field

from endpointd.supervisor.news import Voice
from endpointd.supervisor.worker import Worker, WorkerOrder


@dataclass(eq=False, slots=True)
class Team:
    """Workers that run the same order side by side. `members` are those that start or serve, the oldest first.
    `failures` is how many of them have failed in a row while others went on. `pause` is the timer of the delay before
    the next one is started; None if there is none."""

    order: WorkerOrder
    members: list["Member"] = field(default_factory=list)
    failures: int = 0
    pause: asyncio.TimerHandle | None = None

    @property
    def ready(self) -> list["Member"]:
        return [member for member in self.members if member.ready_at is not None]

    @property
    def coming(self) -> list["Member"]:
        """Those that are starting."""
        return [member for member in self.members if member.ready_at is None]

    @property
    def first(self) -> "Member":
        """The oldest worker that is ready; if none is, the oldest one."""
        return (self.ready or self.members)[0]

    @property
    def strength(self) -> int:
        """How many workers it has, not counting those whose replacement is starting."""
        return len(self.members) - sum(member.relieves in self.members for member in self.members)

    def is_borne(self, member: "Member") -> bool:
        """Whether other workers of the team are ready, so that the team survives the loss of this one."""
        return any(other is not member for other in self.ready)


@dataclass(eq=False, slots=True)
class Member:
    """A worker in a team, with further data about it. `chance`, a random number from 0 to 1, varies when a worker is
    recycled. `ready_at` is in seconds of a monotonic clock, None before it is ready. `stuck` is the number of cancelled
    requests that did not end within the grace. `building` is the last line of progress while its environment is built.
    `relieves` is the member that it is to replace, if any. `voice` takes its output."""

    worker: Worker
    chance: float
    team: Team
    voice: Voice
    ready_at: float | None = None
    stuck: int = 0
    building: str | None = None
    relieves: "Member | None" = None

    @property
    def order(self) -> WorkerOrder:
        return self.team.order


class Crew:
    """The teams, and how they replace each other. The state table guarantees what the methods assert."""

    def __init__(self) -> None:
        self.present: Team | None = None
        self.next: Team | None = None
        self.old: Team | None = None
        self.restarts = 0
        """How many workers have replaced one that had failed."""
        self.causes: Counter[str] = Counter()
        """How often workers failed, by the code of the failure, and how often they were "recycled"."""
        self._alive: dict[Worker, Member] = {}
        """The workers that became ready and have not ended."""
        self._requests_before = 0
        """How many requests the workers that have ended were given."""

    @property
    def teams(self) -> list[Team]:
        """The teams to which requests go, or may go later without an operator's asking for it."""
        return [team for team in (self.next, self.present, self.old) if team is not None]

    @property
    def worker(self) -> Worker | None:
        """The present worker; of several, the oldest one that is ready. None if there is none."""
        return self.present.first.worker if self.present is not None and self.present.members else None

    @property
    def pids(self) -> tuple[int, ...]:
        """The pids of the present workers that are ready."""
        ready = self.present.ready if self.present is not None else ()
        return tuple(member.worker.pid for member in ready if member.worker.pid is not None)

    @property
    def building(self) -> str | None:
        """The last line of progress of an environment that is being built for a worker; None if none is."""
        members = [member for team in self.teams for member in team.members]
        return next((member.building for member in members if member.building is not None), None)

    @property
    def alive(self) -> list[Worker]:
        return [*self._alive]

    @property
    def in_flight(self) -> int:
        return sum(worker.in_flight for worker in self._alive)

    @property
    def requests(self) -> int:
        """How many requests all workers were given, including those that have ended."""
        return self._requests_before + sum(worker.requests for worker in self._alive)

    def member_of(self, worker: Worker) -> Member | None:
        """The member with this worker; None if it is not ready yet, or has ended."""
        return self._alive.get(worker)

    def began(self, member: Member, now: float) -> None:
        """The worker has become ready."""
        member.ready_at = now
        self._alive[member.worker] = member

    def ended(self, member: Member) -> None:
        if self._alive.pop(member.worker, None) is not None:
            self._requests_before += member.worker.requests

    # How the teams replace each other

    def take_present(self) -> Team:
        team, self.present = self.present, None
        assert team is not None
        return team

    def promote(self) -> Team:
        """Make the next team the present one though it is not ready, because the present one has failed. Returns the
        failed one."""
        left = self.present
        self.present, self.next = self.next, None
        assert left is not None
        return left

    def switch(self) -> None:
        self.old, self.present, self.next = self.present, self.next, None

    def switch_back(self) -> Team:
        """Make the old team the present one again. Returns the team that was on trial."""
        left = self.present
        self.present, self.old = self.old, None
        assert left is not None
        return left

    def take_next(self) -> Team:
        team, self.next = self.next, None
        assert team is not None
        return team

    def take_old(self) -> Team:
        team, self.old = self.old, None
        assert team is not None
        return team
