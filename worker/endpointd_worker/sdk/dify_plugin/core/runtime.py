"""What an Endpoint knows about the call that it answers."""

from dataclasses import dataclass


@dataclass(slots=True)
class Session:
    """`self.session` of an Endpoint. An endpoint is called from outside any conversation, so three ids are None."""

    session_id: str
    """The request's id, as in the daemon's log and in its error answers."""
    endpoint_id: str
    """The hook id under which the endpoint was called."""
    conversation_id: str | None = None
    message_id: str | None = None
    app_id: str | None = None
