"""The refusals for requests that get no place at a worker, by the plugin's state. Pure."""

from endpointd.humane import plural
from endpointd.supervisor.admission import NoPlace
from endpointd.supervisor.failure import Failure
from endpointd.supervisor.state import Life, State

RETRY_BUILT = 5
"""Seconds after which a client may retry while the plugin's environment is being built. How long that takes is
unknown."""


def too_late(plugin: str, life: Life, now: float) -> NoPlace:
    """The refusal for a request that has waited as long as it may for a worker to start. `now` is in the terms of
    `life`."""
    if life.state is State.BACKOFF:
        return NoPlace("plugin_backoff", "the plugin's worker has failed and is about to be started again", 1)
    again = f", after {plural(life.failures, 'failure')}" if life.failures else ""
    message = f"the plugin's worker has been starting for {now - life.since:.0f} s{again}"
    return NoPlace("plugin_starting", f"{message}; see 'endpointd status {plugin}'", retry_after=1)


def refusal(state: State, failure: Failure | None) -> NoPlace | None:
    """The refusal for all requests in this state; None if they go to a worker, or wait for one."""
    match state:
        case State.FATAL:
            message = failure.message if failure is not None else "it failed"
            return NoPlace("plugin_fatal", f"the plugin does not run: {message}", None)
        case State.BUILDING:
            return NoPlace("plugin_building", "the plugin's environment is being built", retry_after=RETRY_BUILT)
        case State.STOPPED | State.DRAINING:
            return NoPlace("plugin_stopped", "the plugin is stopped", None)
        case State.SLEEPING | State.STARTING | State.RUNNING | State.BACKOFF:
            return None
