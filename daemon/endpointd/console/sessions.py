"""The console's sessions. They are only in memory, so all end with the daemon."""

import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

IDLE = 60 * 60.0
"""Seconds without a request by the user (see `is_by_hand`) after which a session expires."""

LONGEST = 12 * 60 * 60.0
"""Seconds after which a session expires in any case."""

MOST = 256
"""The most sessions at once. For a further one, the least recently used one is closed."""

NOTES = 8


@dataclass(frozen=True, slots=True)
class Note:
    """A message that the next page shows once, such as the result of an action. `tone` is "good", "warn" or "bad"."""

    tone: str
    text: str


@dataclass(eq=False, slots=True)
class Session:
    """`token` is the id of the token with which the session was opened, and with which it ends; `name` is the token's
    name. `csrf` is the CSRF token that all forms of the session contain. `began` and `used` are monotonic times."""

    id: str = field(repr=False)
    csrf: str = field(repr=False)
    token: str
    name: str
    began: float
    used: float
    notes: list[Note] = field(default_factory=list)
    refused: str | None = None
    """Why the last package was refused, until that is shown beside the form."""

    def owns(self, csrf: str) -> bool:
        return hmac.compare_digest(csrf.encode(), self.csrf.encode())

    def note(self, tone: str, text: str) -> None:
        """Add a message for the next page."""
        self.notes = [*self.notes, Note(tone, text)][-NOTES:]

    def take_notes(self) -> list[Note]:
        notes, self.notes = self.notes, []
        return notes

    def take_refused(self) -> str | None:
        refused, self.refused = self.refused, None
        return refused


class Sessions:
    """All sessions. `now` returns the seconds of a monotonic clock."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._sessions: dict[str, Session] = {}
        """The sessions by id, the least recently used one first."""

    def open(self, token: str, name: str) -> Session:
        now = self._now()
        for session in [one for one in self._sessions.values() if self._is_over(one)]:
            self.close(session)
        while len(self._sessions) >= MOST:
            del self._sessions[next(iter(self._sessions))]
        session = Session(secrets.token_urlsafe(32), secrets.token_urlsafe(32), token, name, now, now)
        self._sessions[session.id] = session
        return session

    def find(self, id: str, *, by_hand: bool) -> Session | None:  # noqa: A002 - what it is
        """The session with this id, unless it has expired. A request that a page makes by itself (`by_hand` is False)
        does not count as a use."""
        session = self._sessions.get(id)
        if session is None:
            return None
        if self._is_over(session):
            self.close(session)
            return None
        if by_hand:
            session.used = self._now()
            self._sessions[id] = self._sessions.pop(id)
        return session

    def is_open(self, session: Session) -> bool:
        return self._sessions.get(session.id) is session and not self._is_over(session)

    def close(self, session: Session) -> None:
        self._sessions.pop(session.id, None)

    def _is_over(self, session: Session) -> bool:
        now = self._now()
        return now - session.used > IDLE or now - session.began > LONGEST
