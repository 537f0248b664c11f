"""Keeps track of the journals' followers in the API and the console, so that the daemon can end them when it stops."""

from collections.abc import Iterator
from contextlib import contextmanager

from endpointd.logs.journal import Follower


class Followers:
    def __init__(self) -> None:
        self._followers: set[Follower] = set()
        self._closed = False

    @contextmanager
    def joined(self, follower: Follower) -> Iterator[Follower]:
        """Register a follower within the block; it is closed at its end. `close` ends it earlier."""
        self._followers.add(follower)
        if self._closed:
            follower.close()
        try:
            yield follower
        finally:
            self._followers.discard(follower)
            follower.close()

    def close(self) -> None:
        """End all followers, after the entries that are there. Followers that are registered later end too."""
        self._closed = True
        for follower in list(self._followers):
            follower.close()
