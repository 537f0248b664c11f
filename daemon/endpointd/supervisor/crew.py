"""The workers of one plugin by their teams: the present one, the next one, the old one, and those that finish behind
them."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field

from endpointd.supervisor.news import Voice
from endpointd.supervisor.worker import Worker, WorkerOrder


@dataclass(eq=False, slots=True)
class Team:
    """Workers that run the same side by side. `members` are those that start or serve, the eldest first; `failures` of
    single ones, in a row, that the others have borne; `pause` is the delay before the next one is started, if it is not
    over."""

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
        """The eldest that is ready; where none is, the eldest."""
        return (self.ready or self.members)[0]

    @property
    def strength(self) -> int:
        """How many workers it has, without those whose relief is under way."""
        return len(self.members) - sum(member.relieves in self.members for member in self.members)

    def is_borne(self, member: "Member") -> bool:
        """Whether others answer when this one is gone."""
        return any(other is not member for other in self.ready)


@dataclass(eq=False, slots=True)
class Member:
    """A worker in a team, with what is known of it beside the process. `chance`, from 0 to 1, sets apart when it has
    served its time; `ready_at` is in seconds of the monotonic clock; `stuck` are requests that were cancelled and have
    not left their thread within the grace; `building` is the last that was heard of its environment, while that is
    built; `relieves` is whose place in the team it is to take; `voice` has what it said."""

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
    """The teams, and how they change hands. What a method asserts, the table of the states guarantees."""

    def __init__(self) -> None:
        self.present: Team | None = None
        self.next: Team | None = None
        self.old: Team | None = None
        self.restarts = 0
        """Workers that took the place of one that had failed."""
        self.causes: Counter[str] = Counter()
        """Why workers were replaced or failed: the codes of failures, and what recycling names."""
        self._alive: dict[Worker, Member] = {}
        """The workers that became ready and have not ended."""
        self._requests_before = 0
        """Those of workers that have ended."""

    @property
    def teams(self) -> list[Team]:
        """Those to which requests go, or may go without anybody's asking for it."""
        return [team for team in (self.next, self.present, self.old) if team is not None]

    @property
    def worker(self) -> Worker | None:
        """The present one; of several the eldest."""
        return self.present.first.worker if self.present is not None and self.present.members else None

    @property
    def pids(self) -> tuple[int, ...]:
        """Of the present workers that answer."""
        ready = self.present.ready if self.present is not None else ()
        return tuple(member.worker.pid for member in ready if member.worker.pid is not None)

    @property
    def building(self) -> str | None:
        """The last that was heard of an environment that is built for a worker; None when none is."""
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
        """Those of all workers that there ever were."""
        return self._requests_before + sum(worker.requests for worker in self._alive)

    def member_of(self, worker: Worker) -> Member | None:
        """None when it is not alive."""
        return self._alive.get(worker)

    def began(self, member: Member, now: float) -> None:
        """The worker is ready."""
        member.ready_at = now
        self._alive[member.worker] = member

    def ended(self, member: Member) -> None:
        if self._alive.pop(member.worker, None) is not None:
            self._requests_before += member.worker.requests

    # How the teams change hands

    def take_present(self) -> Team:
        team, self.present = self.present, None
        assert team is not None
        return team

    def promote(self) -> Team:
        """The present team is gone, and the next one takes its place though it is not ready. Returns the former."""
        left = self.present
        self.present, self.next = self.next, None
        assert left is not None
        return left

    def switch(self) -> None:
        self.old, self.present, self.next = self.present, self.next, None

    def switch_back(self) -> Team:
        """Returns the team that was on trial."""
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
