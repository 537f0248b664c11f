"""Why a plugin's requests have no place, by its state. Pure."""

from endpointd.supervisor.admission import NoPlace
from endpointd.supervisor.failure import Failure
from endpointd.supervisor.state import State

RETRY_BUILT = 5
"""Seconds after which a client may ask again whose plugin's environment is being built; nobody knows how long it
takes."""


def refusal(state: State, failure: Failure | None) -> NoPlace | None:
    """None where requests go to a worker, or wait for one."""
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
