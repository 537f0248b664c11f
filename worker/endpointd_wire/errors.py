"""The two protocol errors: ours and the peer's."""


class WireError(Exception):
    """A rule of the protocol was broken."""


class LocalWireError(WireError):
    """This side tried to send a message that is not allowed now: a bug of ours. Nothing was sent."""


class RemoteWireError(WireError):
    """The peer sent bytes that no correct peer sends. The connection is over and cannot be resynchronised.

    `excerpt` holds the first bytes of the offending frame (at most `EXCERPT_SIZE`), for the log; it may be empty.
    """

    EXCERPT_SIZE = 64

    def __init__(self, reason: str, excerpt: bytes = b"") -> None:
        super().__init__(reason)
        self.reason = reason
        self.excerpt = excerpt[: self.EXCERPT_SIZE]

    def __str__(self) -> str:
        return f"{self.reason}; the frame begins with {self.excerpt!r}" if self.excerpt else self.reason
