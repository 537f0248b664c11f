"""The JSON documents of the API, as the daemon writes them and as its client reads them."""

from dataclasses import asdict, dataclass
from functools import cache
from typing import Any, TypeVar, cast

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from endpointd.access.views import TokenView
from endpointd.settings.names import LogLevel

T = TypeVar("T")

ARCHIVE, PACKAGE = "application/x-tar", "application/zip"
"""The media types of what can be installed: a tar of a folder, or a package (`.difypkg`)."""

VERSION_HEADER = "Endpointd-Version"
"""The header with the daemon's version in every response, by which a client recognizes that the versions differ."""


@dataclass(frozen=True, slots=True)
class DaemonStatus:
    """The status of the daemon itself. `since` is the time of its start, in seconds since the epoch. `plugins` has the
    number of plugins' folders in each state."""

    version: str
    pid: int
    since: float
    base_url: str
    state_directory: str
    plugins_directory: str
    plugins: dict[str, int]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class Reloaded(BaseModel):
    """The result of reading the settings again. `needs_restart` names the settings that have changed, but take effect
    only when the daemon is restarted."""

    needs_restart: list[str]


class LogLevelDocument(BaseModel):
    """The level of the log: events of this level and above are logged."""

    level: LogLevel


class LogLevelWanted(BaseModel):
    """The level of the log that is wanted; null means the one in the settings."""

    model_config = ConfigDict(extra="forbid")

    level: LogLevel | None


class Rollback(BaseModel):
    """The release to roll back to, as its digest or the beginning of it; null means the one before the present one."""

    model_config = ConfigDict(extra="forbid")

    release: str | None = Field(default=None, min_length=1, max_length=200)


class CreatedToken(BaseModel):
    """A new token. Only this document contains its `secret`; it cannot be shown again."""

    token: TokenView
    secret: str


class FaultDocument(BaseModel):
    """One of several faults. `key` names the field that is wrong ("settings.token")."""

    key: str
    code: str
    message: str
    remedy: str


class ProblemDocument(BaseModel):
    """An error, as RFC 9457 defines it. `code` is stable and meant for programs; `detail` says what has happened and
    `remedy` what to do about it, both for people. `faults` are given with the code `endpoint_invalid`."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    remedy: str
    faults: list[FaultDocument] | None = None


@cache
def _reader(kind: Any) -> TypeAdapter[Any]:  # noqa: ANN401 - any class of documents
    return TypeAdapter(kind)


def read(kind: type[T], document: object) -> T:
    """Convert a parsed JSON document into an object of the type `kind`. Unknown keys are ignored. Raises ValueError."""
    found: T = _reader(cast("Any", kind)).validate_python(document)
    return found
