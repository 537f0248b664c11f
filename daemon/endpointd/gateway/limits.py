"""Limits and timeouts for the connections of clients, and for relayed requests. Pure."""

from dataclasses import dataclass, fields

from endpointd.settings.settings import Settings


@dataclass(slots=True)
class HttpLimits:
    """`uri` and `header` are in bytes; clocks (timeouts) are in seconds, and 0 switches one off. `clock_drain` is the
    time for requests that are under way when the server ends; 0 gives them none. All connections of a server share one
    object, so that changes (`become`) apply to all of them at once."""

    uri: int
    header: int
    connections: int
    clock_header: float
    clock_client_idle: float
    clock_keep_alive: float
    clock_drain: float

    @classmethod
    def of(cls, settings: Settings) -> "HttpLimits":
        return cls(
            settings.limit_uri,
            settings.limit_header,
            settings.limit_connections,
            settings.clock_header,
            settings.clock_client_idle,
            settings.clock_keep_alive,
            settings.clock_drain,
        )

    def become(self, other: "HttpLimits") -> None:
        for field in fields(self):
            setattr(self, field.name, getattr(other, field.name))


@dataclass(frozen=True, slots=True)
class RelayLimits:
    """`body` is in bytes; clocks (timeouts) are in seconds, and 0 switches one off."""

    body: int
    clock_first_byte: float
    clock_idle: float
    clock_total: float
    clock_client_idle: float
