"""The life of a plugin's worker as a table: `step(life, event, now)` says what comes next and what is to be done.

Pure: no clock, no chance, no process. `supervisor.Supervisor` is the only one that performs the actions.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum, StrEnum


class State(StrEnum):
    STOPPED = "STOPPED"
    """No worker, and none is wanted."""
    STARTING = "STARTING"
    """A worker was started and has not said that it is ready."""
    RUNNING = "RUNNING"
    """A worker answers."""
    DRAINING = "DRAINING"
    """The worker finishes its requests and is then to end."""
    BACKOFF = "BACKOFF"
    """The worker has failed; the next one is started when the delay is over."""
    FATAL = "FATAL"
    """It failed too often, or in a way that trying again cannot mend. Only an operator, or a change, leads out."""


class Event(StrEnum):
    START = "start"
    """A worker is wanted."""
    STOP = "stop"
    """No worker is wanted."""
    READY = "ready"
    """The worker has loaded the plugin."""
    REFUSED = "refused"
    """The plugin cannot be loaded, and would not be loaded the next time either."""
    FAILED = "failed"
    """The worker died, did not become ready in time, or broke the protocol."""
    HUNG = "hung"
    """A request does not leave its thread: the worker answers others, but has a place less."""
    WAKE = "wake"
    """The delay is over."""
    STABLE = "stable"
    """The worker has run for long enough to be trusted."""
    ENDED = "ended"
    """The worker that was to end has ended."""


class Action(Enum):
    SPAWN = "spawn a worker"
    DRAIN = "let the worker finish, then end it"
    KILL = "kill the worker"
    RETIRE = "give the worker no more requests, let it finish, then end it"
    WAIT = "wait until `Life.wake_after` seconds are over, then wake"


@dataclass(frozen=True, slots=True)
class Policy:
    """When to give up: `limit` failures in a row, each within `stable_after` seconds of becoming ready."""

    limit: int
    stable_after: float


@dataclass(frozen=True, slots=True)
class Life:
    """Where a plugin's worker stands. `since` is in seconds of the monotonic clock; `failures` are those in a row."""

    state: State = State.STOPPED
    since: float = 0.0
    failures: int = 0


class IllegalTransition(Exception):
    """An event came that cannot come in this state: a bug of ours."""


_S, _E, _A = State, Event, Action

TABLE: Mapping[tuple[State, Event], tuple[State, tuple[Action, ...]]] = {
    (_S.STOPPED, _E.START): (_S.STARTING, (_A.SPAWN,)),
    (_S.STARTING, _E.READY): (_S.RUNNING, ()),
    (_S.STARTING, _E.REFUSED): (_S.FATAL, ()),
    (_S.STARTING, _E.FAILED): (_S.BACKOFF, (_A.WAIT,)),
    (_S.STARTING, _E.STOP): (_S.DRAINING, (_A.KILL,)),
    (_S.RUNNING, _E.STABLE): (_S.RUNNING, ()),
    (_S.RUNNING, _E.FAILED): (_S.BACKOFF, (_A.WAIT,)),
    (_S.RUNNING, _E.HUNG): (_S.STARTING, (_A.RETIRE, _A.SPAWN)),
    (_S.RUNNING, _E.STOP): (_S.DRAINING, (_A.DRAIN,)),
    (_S.DRAINING, _E.ENDED): (_S.STOPPED, ()),
    (_S.BACKOFF, _E.WAKE): (_S.STARTING, (_A.SPAWN,)),
    (_S.BACKOFF, _E.START): (_S.STARTING, (_A.SPAWN,)),
    (_S.BACKOFF, _E.STOP): (_S.STOPPED, ()),
    (_S.FATAL, _E.START): (_S.STARTING, (_A.SPAWN,)),
    (_S.FATAL, _E.STOP): (_S.STOPPED, ()),
}

WITHOUT_EFFECT: frozenset[tuple[State, Event]] = frozenset(
    # What was wanted is so already.
    {(_S.STOPPED, _E.STOP), (_S.DRAINING, _E.STOP), (_S.STARTING, _E.START), (_S.RUNNING, _E.START)}
    # Timers that ran out when they no longer mattered.
    | {(state, _E.WAKE) for state in _S if state is not _S.BACKOFF}
    | {(state, _E.STABLE) for state in _S if state is not _S.RUNNING}
    # News of a worker that is on its way out already.
    | {(state, _E.HUNG) for state in _S if state is not _S.RUNNING}
    | {(_S.DRAINING, _E.READY), (_S.DRAINING, _E.REFUSED), (_S.DRAINING, _E.FAILED)}
)

FAILURES = frozenset({Event.FAILED, Event.REFUSED})


def step(life: Life, event: Event, now: float, policy: Policy) -> tuple[Life, tuple[Action, ...]]:
    """What follows `event` at `now`. Raises `IllegalTransition` for a pair that is in neither table."""
    pair = (life.state, event)
    if pair in WITHOUT_EFFECT:
        return life, ()
    if pair not in TABLE:
        raise IllegalTransition(f"{event.value} in {life.state.value}")
    target, actions = TABLE[pair]
    failures = _count(life, event, now, policy)
    if target is State.BACKOFF and failures >= policy.limit:
        # STARTING, RUNNING -> FATAL: a crash loop
        target, actions = State.FATAL, ()
    since = life.since if target is life.state else now
    return replace(life, state=target, since=since, failures=failures), actions


def _count(life: Life, event: Event, now: float, policy: Policy) -> int:
    if event is Event.STABLE or (event is Event.START and life.state in (State.STOPPED, State.FATAL)):
        return 0
    if event in FAILURES:
        earned = life.state is State.RUNNING and now - life.since >= policy.stable_after
        return 1 if earned else life.failures + 1
    return life.failures
