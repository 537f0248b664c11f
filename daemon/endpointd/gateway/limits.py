"""What the connections of clients, and the answers to them, are held to. Pure."""

from dataclasses import dataclass, fields

from endpointd.settings import Settings


@dataclass(slots=True)
class HttpLimits:
    """Bytes, connections, and seconds, of which 0 switch a clock off, and give none to what is under way at the end
    (`clock_drain`). All connections of a server share one, so that what it becomes holds for each of them at once."""

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
    """Bytes and seconds; 0 seconds switch a clock off."""

    body: int
    clock_first_byte: float
    clock_idle: float
    clock_total: float
    clock_client_idle: float
