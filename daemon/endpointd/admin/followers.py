"""Who follows a journal through the API, so that nobody's following can keep the daemon from ending."""

from collections.abc import Iterator
from contextlib import contextmanager

from endpointd.journal import Follower


class Followers:
    def __init__(self) -> None:
        self._followers: set[Follower] = set()
        self._closed = False

    @contextmanager
    def joined(self, follower: Follower) -> Iterator[Follower]:
        """It ends with `close`, and is closed at the end of the block however that comes."""
        self._followers.add(follower)
        if self._closed:
            follower.close()
        try:
            yield follower
        finally:
            self._followers.discard(follower)
            follower.close()

    def close(self) -> None:
        """All read what there is, and end; so does who comes later."""
        self._closed = True
        for follower in list(self._followers):
            follower.close()
