"""The types of settings: how their values are checked, written and described.

Every type has a `Form`, so that `--help`, the documentation and the error messages describe it in the same words.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, ByteSize, Field, PlainSerializer
from pydantic.fields import FieldInfo
from pydantic_settings import NoDecode

from endpointd.settings.names import LogLevel

# Longer than anybody needs, and well within the range of an event loop's timers.
_A_YEAR = 365 * 24 * 3600
_USER = re.compile(r"[^\s:]+")
# Up to the last "@", so that rather too much is hidden than part of a password is shown.
_PASSWORD = re.compile(r"(?<=://)([^:@/?]*:).*@|(password=)[^&]*")
_CREDENTIALS = re.compile(r"(?<=://)[^/]*@")
_ENVIRONMENT_NAME = re.compile(r"[^=\0]+")


@dataclass(frozen=True, slots=True)
class Form:
    """How values of one type are written: `metavar` for usage lines, `accepts` for sentences ("give …")."""

    metavar: str
    accepts: str


def form_of(field: FieldInfo) -> Form:
    """The form of a settings field. Every field has one; a LookupError is a defect."""
    for item in field.metadata:
        if isinstance(item, Form):
            return item
    raise LookupError(f"settings field {field!r} carries no Form")


def written(value: object) -> str:
    """A value as an operator would write it in a flag or the environment; the empty string for None."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, ByteSize):
        return _written_size(value)
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return str(value)


def _written_size(size: int) -> str:
    """The exact size in the largest unit that divides it."""
    for unit, name in ((1024**3, "GiB"), (1024**2, "MiB"), (1024, "KiB")):
        if size and size % unit == 0:
            return f"{size // unit}{name}"
    return str(size)


def refuse_boolean(value: object) -> object:
    """Raise ValueError for a boolean of TOML, which pydantic would accept as the number 0 or 1."""
    if isinstance(value, bool):
        raise ValueError("a boolean is not a number")
    return value


def split_list(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _number_as_text(value: object) -> object:
    """Convert the number of a user or group that was written in TOML without quotes."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _check_user(name: str | None) -> str | None:
    if name is not None and not _USER.fullmatch(name):
        raise ValueError("a name has neither blanks nor colons in it")
    return name


def refuse_text(value: object) -> object:
    """Raise ValueError for a str: tables cannot be given by a flag or variable."""
    if isinstance(value, str):
        raise ValueError("tables cannot be written in a variable")
    return value


def _check_environment(values: dict[str, str]) -> dict[str, str]:
    for name, value in values.items():
        if not _ENVIRONMENT_NAME.fullmatch(name):
            raise ValueError(f"{name!r} is not a name of an environment variable")
        if "\0" in value:
            raise ValueError(f"the value of {name} contains a NUL character")
    return values


@dataclass(frozen=True, slots=True)
class DatabaseUrl:
    """The URL of the database. `str` masks the password; `url` is complete."""

    url: str = dataclass_field(repr=False)

    def __str__(self) -> str:
        return _PASSWORD.sub(lambda found: f"{found[1]}********@" if found[1] else f"{found[2]}********", self.url)


def _check_database(value: object) -> object:
    """Check as much of the URL as is possible without the database's driver."""
    if not isinstance(value, str):
        return value
    if not value.startswith(("sqlite:////", "postgresql://", "postgresql+psycopg://")):
        raise ValueError("it begins with sqlite://// and an absolute path, or with postgresql://")
    return DatabaseUrl(value)


@dataclass(frozen=True, slots=True)
class PackageSource:
    """A URL or folder from which packages are installed. `str` masks user and password (either may be a token); `text`
    is complete."""

    text: str = dataclass_field(repr=False)

    def __str__(self) -> str:
        return _CREDENTIALS.sub("********@", self.text)


def _check_index(value: object) -> object:
    if not isinstance(value, str):
        return value
    if not value.startswith(("https://", "http://", "file://")):
        raise ValueError("it begins with https://, http:// or file://")
    return PackageSource(value)


def _check_sources(value: object) -> object:
    parts = split_list(value)
    if not isinstance(parts, Sequence):
        raise ValueError("a list of folders or URLs is needed")
    return tuple(PackageSource(part) if isinstance(part, str) else part for part in parts)


Flag = Annotated[bool, Form("true|false", "true or false")]
Folder = Annotated[Path, Form("DIR", "the path of a directory")]
ConfigFile = Annotated[Path | None, Form("FILE", "the path of a TOML file")]
OptionalFile = Annotated[Path | None, Form("FILE", "the path of a file")]
Name = Annotated[str | None, Field(min_length=1), Form("NAME", "the name of a backend, or none")]
LogFile = Annotated[Path | None, Form("LOGFILE", "the path of a file")]
EndpointsFile = Annotated[Path | None, Form("YAML", "the path of a YAML file")]
KeyFilePath = Annotated[Path | None, Form("KEYFILE", "the path of a file")]
KeyFiles = Annotated[
    tuple[Path, ...],
    NoDecode,
    BeforeValidator(split_list),
    Form("PATHS", "paths such as /etc/endpointd/acme.public.pem (in the file: a list of strings)"),
]
Database = Annotated[
    DatabaseUrl | None,
    NoDecode,
    BeforeValidator(_check_database),
    PlainSerializer(lambda value: None if value is None else str(value), when_used="json"),
    Form("DATABASE", "a URL such as sqlite:////var/lib/endpointd/endpoints.db or postgresql://user@host/name"),
]
OptionalFolder = Annotated[Path | None, Form("DIR", "the path of a directory")]
Interpreters = Annotated[
    tuple[Path, ...],
    NoDecode,
    BeforeValidator(split_list),
    Form("PATHS", "paths such as /opt/python3.13/bin/python3,/opt/python3.12 (in the file: a list of strings)"),
]
IndexUrl = Annotated[
    PackageSource | None,
    NoDecode,
    BeforeValidator(_check_index),
    PlainSerializer(lambda value: None if value is None else str(value), when_used="json"),
    Form("URL", "a URL such as https://pypi.example.org/simple"),
]
FindLinks = Annotated[
    tuple[PackageSource, ...],
    NoDecode,
    BeforeValidator(_check_sources),
    PlainSerializer(lambda value: [str(one) for one in value], when_used="json"),
    Form("PLACES", "folders or URLs such as /srv/wheels,https://example.org/wheels/ (in the file: a list of strings)"),
]
LogFormat = Literal["auto", "console", "json"]
LogFormatValue = Annotated[LogFormat, BeforeValidator(lower), Form("auto|console|json", "auto, console or json")]
LogLevelValue = Annotated[
    LogLevel, BeforeValidator(lower), Form("debug|info|warning|error", "debug, info, warning or error")
]
Size = Annotated[
    ByteSize,
    BeforeValidator(refuse_boolean),
    Field(ge=1),
    Form("SIZE", "a size of at least one byte, such as 65536, 64KiB or 100MiB"),
]
# A worker runs each request in a thread of its own, so this also limits its threads.
Concurrency = Annotated[
    int, BeforeValidator(refuse_boolean), Field(ge=1, le=1024), Form("N", "a whole number from 1 to 1024")
]
# Each task takes about ten KiB of memory, and its client a connection.
Tasks = Annotated[
    int, BeforeValidator(refuse_boolean), Field(ge=1, le=65_536), Form("N", "a whole number from 1 to 65536")
]
Workers = Annotated[int, BeforeValidator(refuse_boolean), Field(ge=1, le=64), Form("N", "a whole number from 1 to 64")]
QueueSize = Annotated[
    int, BeforeValidator(refuse_boolean), Field(ge=0, le=65_536), Form("N", "a whole number from 0 to 65536")
]
Count = Annotated[
    int, BeforeValidator(refuse_boolean), Field(ge=1, le=1_000_000), Form("N", "a whole number from 1 to 1000000")
]
Bound = Annotated[
    int,
    BeforeValidator(refuse_boolean),
    Field(ge=0, le=1_000_000_000),
    Form("N", "a whole number from 0 to 1000000000; 0 means no bound"),
]
SizeBound = Annotated[
    ByteSize,
    BeforeValidator(refuse_boolean),
    Form("SIZE", "a size such as 536870912 or 512MiB; 0 means no bound"),
]
SignaturePolicy = Annotated[
    Literal["off", "warn", "require"], BeforeValidator(lower), Form("off|warn|require", "off, warn or require")
]
TraceParent = Annotated[Literal["continue", "link"], BeforeValidator(lower), Form("continue|link", "continue or link")]
ReadyPolicy = Literal["started", "settled", "running"]
ReadyPolicyValue = Annotated[
    ReadyPolicy, BeforeValidator(lower), Form("started|settled|running", "started, settled or running")
]
StartMode = Annotated[
    Literal["always", "on-demand"], BeforeValidator(lower), Form("always|on-demand", "always or on-demand")
]
WatchMode = Annotated[
    Literal["auto", "poll", "off"], BeforeValidator(lower), Form("auto|poll|off", "auto, poll or off")
]
Connections = Annotated[
    int,
    BeforeValidator(refuse_boolean),
    Field(ge=1, le=1_000_000),
    Form("N", "a whole number from 1 to 1000000"),
]
Clock = Annotated[
    float,
    BeforeValidator(refuse_boolean),
    Field(ge=0, le=_A_YEAR, allow_inf_nan=False),
    Form("SECONDS", "a number of seconds up to a year; 0 turns the clock off"),
]
Grace = Annotated[
    float,
    BeforeValidator(refuse_boolean),
    Field(ge=0, le=_A_YEAR, allow_inf_nan=False),
    Form("SECONDS", "a number of seconds up to a year; 0 means at once"),
]
Niceness = Annotated[int, BeforeValidator(refuse_boolean), Field(ge=0, le=19), Form("N", "a whole number from 0 to 19")]
UserName = Annotated[
    str | None,
    BeforeValidator(_number_as_text),
    AfterValidator(_check_user),
    Form("NAME", "a name or a number"),
]
EnvironmentVariables = Annotated[
    dict[str, str],
    AfterValidator(_check_environment),
    Form("TABLE", 'a table of strings such as { NAME = "value" }'),
]
