"""The life of a plugin's worker as a state machine: `step(life, event, now, policy)` returns the next state and the
actions to perform.

Pure: no clock, no randomness, no processes. Only `supervisor.Supervisor` calls it, and has `foreman` perform the
actions.

There are up to three workers: the *present* one, to which requests go; the *next* one, which is starting and is to
replace it; and the *old* one, which was replaced, and is kept until the present one has passed its trial. (If a plugin
has several workers, each of these is a team of them; see `crew`.)
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum, StrEnum


class State(StrEnum):
    """The states as operators see them."""

    STOPPED = "STOPPED"
    """No worker, and none is wanted."""
    SLEEPING = "SLEEPING"
    """No worker, until a request comes."""
    BUILDING = "BUILDING"
    """The environment that the worker needs is being built."""
    STARTING = "STARTING"
    """A worker was started and is not ready yet."""
    RUNNING = "RUNNING"
    """A worker answers."""
    DRAINING = "DRAINING"
    """The worker finishes its requests and then ends."""
    BACKOFF = "BACKOFF"
    """The worker has failed; the next one is started after a delay."""
    FATAL = "FATAL"
    """It failed too often, or in a way that trying again cannot fix. It stays so until an operator acts or the plugin
    changes."""


class Stage(StrEnum):
    """The internal states: those of `State`, with RUNNING divided into four."""

    STOPPED = "stopped"
    SLEEPING = "sleeping"
    BUILDING = "building"
    STARTING = "starting"
    RUNNING = "running"
    REPLACING = "replacing"
    """The present worker serves while the next one is starting."""
    PREPARING = "preparing"
    """The present worker serves while the environment of the next one is being built."""
    ON_TRIAL = "on trial"
    """The present worker has just replaced the old one. If it dies, the old one serves again."""
    DRAINING = "draining"
    BACKOFF = "backoff"
    FATAL = "fatal"

    @property
    def state(self) -> State:
        return State.RUNNING if self in (Stage.REPLACING, Stage.PREPARING, Stage.ON_TRIAL) else State[self.name]


UNSETTLED = frozenset(
    {Stage.STARTING, Stage.BUILDING, Stage.REPLACING, Stage.PREPARING, Stage.ON_TRIAL, Stage.DRAINING}
)
"""Stages that will soon become another one by themselves. (BACKOFF does too, but it may take long.)"""


class Event(StrEnum):
    START = "start"
    """A worker is wanted."""
    STOP = "stop"
    """No worker is wanted."""
    SLEEP = "sleep"
    """No worker is needed before a request comes."""
    NEEDED = "needed"
    """A request has come for a sleeping plugin."""
    REPLACE = "replace"
    """Another worker is wanted: the plugin has changed, an operator asks for it, or the present one is to be
    recycled."""
    BUILD = "build"
    """The environment of the worker that is starting does not exist yet, and has to be built first."""
    BUILT = "built"
    """That environment has been built."""
    READY = "ready"
    """The present worker has loaded the plugin."""
    REFUSED = "refused"
    """The plugin cannot be loaded, and would not be loaded the next time either."""
    FAILED = "failed"
    """The present worker died, did not become ready in time, or broke the protocol."""
    HUNG = "hung"
    """A cancelled request does not end: the worker still serves others, but has one place less."""
    WAKE = "wake"
    """The delay after a failure is over."""
    STABLE = "stable"
    """The present worker has run for long enough to be trusted."""
    ENDED = "ended"
    """The present worker has ended as it was told to."""
    NEXT_READY = "next ready"
    """The next worker has loaded the plugin."""
    NEXT_FAILED = "next failed"
    """The next worker cannot load the plugin, or has died."""
    PROVED = "proved"
    """The present worker has passed its trial."""
    OLD_LOST = "old lost"
    """The old worker has died."""


class Action(Enum):
    SPAWN = "spawn a worker as the present one"
    SPAWN_NEXT = "spawn a worker as the next one"
    DRAIN = "let the present worker finish, then end it"
    LET_GO = "let the present worker end, and do not wait for it"
    KILL = "kill the present worker"
    KILL_NEXT = "kill the next worker"
    PROMOTE = "make the next worker, which is still starting, the present one"
    SWITCH = "make the next worker the present one, and the present one the old one; begin the trial"
    SWITCH_BACK = "make the old worker the present one again"
    KEEP = "forget the next worker, and what it was to run"
    RETIRE = "let the old worker finish, then end it"
    WAIT = "wait for the delay that `Life.failures` asks for, then wake"


@dataclass(frozen=True, slots=True)
class Policy:
    """When to give up: `limit` failures in a row, each within `stable_after` seconds of becoming ready."""

    limit: int
    stable_after: float


@dataclass(frozen=True, slots=True)
class Life:
    """The state of a plugin's worker. `since` is when `state` was entered, and `served_since` when the present worker
    became ready, both in seconds of a monotonic clock. `failures` is the number of failures in a row."""

    stage: Stage = Stage.STOPPED
    since: float = 0.0
    failures: int = 0
    served_since: float = 0.0

    @property
    def state(self) -> State:
        return self.stage.state


class IllegalTransition(Exception):
    """An event came that is impossible in this state: a bug in endpointd."""


_S, _E, _A = Stage, Event, Action

TABLE: Mapping[tuple[Stage, Event], tuple[Stage, tuple[Action, ...]]] = {
    (_S.STOPPED, _E.START): (_S.STARTING, (_A.SPAWN,)),
    (_S.STOPPED, _E.SLEEP): (_S.SLEEPING, ()),
    (_S.SLEEPING, _E.NEEDED): (_S.STARTING, (_A.SPAWN,)),
    (_S.SLEEPING, _E.START): (_S.STARTING, (_A.SPAWN,)),
    (_S.SLEEPING, _E.REPLACE): (_S.STARTING, (_A.SPAWN,)),
    (_S.SLEEPING, _E.STOP): (_S.STOPPED, ()),
    (_S.BUILDING, _E.BUILT): (_S.STARTING, ()),
    (_S.BUILDING, _E.REFUSED): (_S.FATAL, ()),
    (_S.BUILDING, _E.FAILED): (_S.BACKOFF, (_A.WAIT,)),
    (_S.BUILDING, _E.REPLACE): (_S.STARTING, (_A.KILL, _A.SPAWN)),
    (_S.BUILDING, _E.STOP): (_S.DRAINING, (_A.KILL,)),
    (_S.STARTING, _E.BUILD): (_S.BUILDING, ()),
    (_S.STARTING, _E.READY): (_S.RUNNING, ()),
    (_S.STARTING, _E.REFUSED): (_S.FATAL, ()),
    (_S.STARTING, _E.FAILED): (_S.BACKOFF, (_A.WAIT,)),
    (_S.STARTING, _E.REPLACE): (_S.STARTING, (_A.KILL, _A.SPAWN)),
    (_S.STARTING, _E.STOP): (_S.DRAINING, (_A.KILL,)),
    (_S.RUNNING, _E.STABLE): (_S.RUNNING, ()),
    (_S.RUNNING, _E.FAILED): (_S.BACKOFF, (_A.WAIT,)),
    (_S.RUNNING, _E.HUNG): (_S.REPLACING, (_A.SPAWN_NEXT,)),
    (_S.RUNNING, _E.REPLACE): (_S.REPLACING, (_A.SPAWN_NEXT,)),
    (_S.RUNNING, _E.SLEEP): (_S.SLEEPING, (_A.LET_GO,)),
    (_S.RUNNING, _E.STOP): (_S.DRAINING, (_A.DRAIN,)),
    (_S.REPLACING, _E.STABLE): (_S.REPLACING, ()),
    (_S.REPLACING, _E.BUILD): (_S.PREPARING, ()),
    (_S.REPLACING, _E.NEXT_READY): (_S.ON_TRIAL, (_A.SWITCH,)),
    (_S.REPLACING, _E.NEXT_FAILED): (_S.RUNNING, (_A.KEEP,)),
    (_S.REPLACING, _E.FAILED): (_S.STARTING, (_A.PROMOTE,)),
    (_S.REPLACING, _E.REPLACE): (_S.REPLACING, (_A.KILL_NEXT, _A.SPAWN_NEXT)),
    (_S.REPLACING, _E.STOP): (_S.DRAINING, (_A.KILL_NEXT, _A.DRAIN)),
    (_S.PREPARING, _E.STABLE): (_S.PREPARING, ()),
    (_S.PREPARING, _E.BUILT): (_S.REPLACING, ()),
    (_S.PREPARING, _E.NEXT_FAILED): (_S.RUNNING, (_A.KEEP,)),
    (_S.PREPARING, _E.FAILED): (_S.BUILDING, (_A.PROMOTE,)),
    (_S.PREPARING, _E.REPLACE): (_S.REPLACING, (_A.KILL_NEXT, _A.SPAWN_NEXT)),
    (_S.PREPARING, _E.STOP): (_S.DRAINING, (_A.KILL_NEXT, _A.DRAIN)),
    (_S.ON_TRIAL, _E.PROVED): (_S.RUNNING, (_A.RETIRE,)),
    (_S.ON_TRIAL, _E.STABLE): (_S.ON_TRIAL, ()),
    (_S.ON_TRIAL, _E.FAILED): (_S.RUNNING, (_A.SWITCH_BACK,)),
    (_S.ON_TRIAL, _E.OLD_LOST): (_S.RUNNING, ()),
    (_S.ON_TRIAL, _E.HUNG): (_S.REPLACING, (_A.RETIRE, _A.SPAWN_NEXT)),
    (_S.ON_TRIAL, _E.REPLACE): (_S.REPLACING, (_A.RETIRE, _A.SPAWN_NEXT)),
    (_S.ON_TRIAL, _E.STOP): (_S.DRAINING, (_A.RETIRE, _A.DRAIN)),
    (_S.DRAINING, _E.ENDED): (_S.STOPPED, ()),
    (_S.BACKOFF, _E.WAKE): (_S.STARTING, (_A.SPAWN,)),
    (_S.BACKOFF, _E.START): (_S.STARTING, (_A.SPAWN,)),
    (_S.BACKOFF, _E.REPLACE): (_S.STARTING, (_A.SPAWN,)),
    (_S.BACKOFF, _E.STOP): (_S.STOPPED, ()),
    (_S.FATAL, _E.START): (_S.STARTING, (_A.SPAWN,)),
    (_S.FATAL, _E.REPLACE): (_S.STARTING, (_A.SPAWN,)),
    (_S.FATAL, _E.STOP): (_S.STOPPED, ()),
}

_SERVING = frozenset({Stage.RUNNING, Stage.REPLACING, Stage.PREPARING, Stage.ON_TRIAL})

WITHOUT_EFFECT: frozenset[tuple[Stage, Event]] = frozenset(
    # It is already as wanted.
    {(_S.STOPPED, _E.STOP), (_S.DRAINING, _E.STOP), (_S.STARTING, _E.START), (_S.BUILDING, _E.START)}
    | {(_S.REPLACING, _E.HUNG), (_S.PREPARING, _E.HUNG)}
    | {(stage, _E.START) for stage in _SERVING}
    # A worker is starting already, or none is wanted. A worker that fails or is being replaced is not put to sleep.
    | {(stage, _E.NEEDED) for stage in _S if stage is not _S.SLEEPING}
    | {(stage, _E.SLEEP) for stage in _S if stage not in (_S.STOPPED, _S.RUNNING)}
    # A plugin that was stopped is not started because it has changed.
    | {(_S.STOPPED, _E.REPLACE), (_S.DRAINING, _E.REPLACE)}
    # Timers that ran out when they no longer mattered.
    | {(stage, _E.WAKE) for stage in _S if stage is not _S.BACKOFF}
    | {(stage, _E.STABLE) for stage in _S if stage not in _SERVING}
    | {(stage, _E.PROVED) for stage in _S if stage is not _S.ON_TRIAL}
    # News of a worker that is ending already.
    | {(stage, _E.HUNG) for stage in _S if stage not in _SERVING}
    | {(stage, _E.OLD_LOST) for stage in _S if stage is not _S.ON_TRIAL}
    | {(_S.DRAINING, _E.READY), (_S.DRAINING, _E.REFUSED), (_S.DRAINING, _E.FAILED)}
    | {(_S.DRAINING, _E.BUILD), (_S.DRAINING, _E.BUILT)}
)

FAILURES = frozenset({Event.FAILED, Event.REFUSED})


def step(life: Life, event: Event, now: float, policy: Policy) -> tuple[Life, tuple[Action, ...]]:
    """The life after `event`, which came at `now`, and the actions to perform in order. Raises `IllegalTransition` for
    a pair that is in neither table."""
    pair = (life.stage, event)
    if pair in WITHOUT_EFFECT:
        return life, ()
    if pair not in TABLE:
        raise IllegalTransition(f"{event.value} in {life.stage.value}")
    target, actions = TABLE[pair]
    failures = _count(life, event, now, policy)
    if target is Stage.BACKOFF and failures >= policy.limit:
        # STARTING, RUNNING -> FATAL: a crash loop
        target, actions = Stage.FATAL, ()
    since = life.since if target.state is life.state else now
    served_since = now if event in (Event.READY, Event.NEXT_READY) else life.served_since
    return replace(life, stage=target, since=since, failures=failures, served_since=served_since), actions


def _count(life: Life, event: Event, now: float, policy: Policy) -> int:
    # The old worker goes on, so a failure on trial does not count.
    if event is Event.STABLE or life.stage is Stage.ON_TRIAL:
        return 0
    if event is Event.REPLACE or (event is Event.START and life.stage in (Stage.STOPPED, Stage.FATAL)):
        return 0
    if life.stage is Stage.SLEEPING and now - life.served_since >= policy.stable_after:
        # It became ready long ago and has not failed since, or it would not be sleeping.
        return 0
    if event in FAILURES:
        earned = life.stage in _SERVING and now - life.served_since >= policy.stable_after
        return 1 if earned else life.failures + 1
    return life.failures
