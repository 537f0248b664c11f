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
    """The daemon itself. `since` is in seconds since the epoch; `plugins` counts the folders by their states."""

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
    """`needs_restart` names settings that are others now, and that only a new start of the daemon can change."""

    needs_restart: list[str]


class LogLevelDocument(BaseModel):
    """The least level that is logged."""

    level: LogLevel


class LogLevelWanted(BaseModel):
    """Null is the level that the settings say."""

    model_config = ConfigDict(extra="forbid")

    level: LogLevel | None


class Rollback(BaseModel):
    """Which release is to run: the digest, or its beginning; null means the one before the present one."""

    model_config = ConfigDict(extra="forbid")

    release: str | None = Field(default=None, min_length=1, max_length=200)


class CreatedToken(BaseModel):
    """`secret` is told here and never again."""

    token: TokenView
    secret: str


class FaultDocument(BaseModel):
    """One of several things that are wrong; `key` is what it is about ("settings.token")."""

    key: str
    code: str
    message: str
    remedy: str


class ProblemDocument(BaseModel):
    """What went wrong (RFC 9457). `code` is stable and for programs, `detail` and `remedy` are for people. With the
    code `endpoint_invalid` there are `faults`."""

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
