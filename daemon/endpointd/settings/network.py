"""The types of settings about the network: where the daemon listens, how it is reached, who may call."""

import re
from collections.abc import Sequence
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, IPvAnyNetwork
from pydantic_settings import NoDecode

from endpointd.callers.networks import read_network
from endpointd.callers.origins import read_origin
from endpointd.callers.rates import kept_rate
from endpointd.settings.types import Form, lower, split_list
from endpointd.sockets.addresses import UNIX, split_listen

_MODE = re.compile(r"0?[0-7]{3}")
_HEADER = "give a header with OTEL_EXPORTER_OTLP_HEADERS"


def _check_listen(text: str) -> str:
    split_listen(text)
    return text


def _split_list_of_text(value: object) -> object:
    parts = split_list(value)
    if not isinstance(parts, Sequence) or not all(isinstance(part, str) for part in parts):
        raise ValueError("a list of addresses is needed")
    return tuple(parts)


def _check_listens(addresses: tuple[str, ...]) -> tuple[str, ...]:
    if not addresses:
        raise ValueError("at least one address is needed")
    for address in addresses:
        if not address.startswith(UNIX):
            split_listen(address)
        elif not address.startswith(f"{UNIX}/") or "\0" in address:
            raise ValueError("a unix socket is unix: and an absolute path")
    fixed = [address for address in addresses if not address.endswith(":0")]
    if len(set(fixed)) < len(fixed):
        raise ValueError("an address is there twice")
    return addresses


def _check_mode(value: object) -> object:
    if not isinstance(value, str) or not _MODE.fullmatch(value):
        raise ValueError("rights are three or four octal digits in quotes")
    return value


def _version_as_text(value: object) -> object:
    """Convert a version that was written in TOML without quotes, which is a float there."""
    return str(value) if isinstance(value, float) else value


def _split_networks(value: object) -> object:
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, Sequence):
        raise ValueError("a list of addresses is needed")
    # IPvAnyNetwork would read a bare integer as an address.
    return tuple(str(part).strip() for part in parts if str(part).strip())


def check_web_url(text: str, secret: str) -> str:
    """Check the URL of another server, and return it. `secret` is the remedy if it contains a user or password: how
    to give them instead. Raises ValueError."""
    _check_url(text)
    if "@" in urlsplit(text).netloc:
        raise ValueError(f"user and password have no place in it; {secret}")
    return text


def _check_url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("it begins with http:// or https:// and a host")
    if parts.query or parts.fragment:
        raise ValueError("it has neither query nor fragment")
    return text


Listens = Annotated[
    tuple[str, ...],
    NoDecode,
    BeforeValidator(_split_list_of_text),
    AfterValidator(_check_listens),
    Form(
        "ADDRESSES",
        "addresses such as 127.0.0.1:8080,[::1]:8080,unix:/run/endpointd/http.sock (in the file: a text or a list);"
        " port 0 takes a free one",
    ),
]
FileMode = Annotated[
    str, BeforeValidator(_check_mode), Form("MODE", 'rights such as 0660 (in the file in quotes: "0660")')
]
TlsVersion = Annotated[Literal["1.2", "1.3"], BeforeValidator(_version_as_text), Form("1.2|1.3", "1.2 or 1.3")]
ForwardingHeaders = Annotated[
    Literal["x-forwarded", "forwarded"],
    BeforeValidator(lower),
    Form("x-forwarded|forwarded", "x-forwarded or forwarded"),
]
OptionalListen = Annotated[
    str | None,
    AfterValidator(lambda text: text if text is None else _check_listen(text)),
    Form("HOST:PORT", "an address such as 127.0.0.1:8081 or [::1]:8081; port 0 takes a free one"),
]
PublicUrl = Annotated[
    str | None,
    AfterValidator(lambda text: text if text is None else _check_url(text).rstrip("/")),
    Form("URL", "a URL such as https://hooks.example.org without query or fragment"),
]
CallerNetworks = Annotated[
    tuple[str, ...],
    NoDecode,
    BeforeValidator(_split_list_of_text),
    AfterValidator(lambda texts: tuple(dict.fromkeys(map(read_network, texts)))),
    Form(
        "NETWORKS", "addresses or networks such as 10.0.0.0/8,2001:db8::/32, and unix (in the file: a list of strings)"
    ),
]
CallerRate = Annotated[
    str | None,
    AfterValidator(lambda text: text if text is None else kept_rate(text)),
    Form("RATE", "a rate such as 10/s, 100/min burst 20, 1000/h overall, or unlimited"),
]
CallerOrigins = Annotated[
    tuple[str, ...],
    NoDecode,
    BeforeValidator(_split_list_of_text),
    AfterValidator(lambda texts: tuple(dict.fromkeys(map(read_origin, texts)))),
    Form("ORIGINS", "origins such as https://app.example.com, or * for all (in the file: a list of strings)"),
]
Networks = Annotated[
    tuple[IPvAnyNetwork | Literal["unix"], ...],
    NoDecode,
    BeforeValidator(_split_networks),
    Form("NETWORKS", "addresses or networks such as 127.0.0.1,10.0.0.0/8, and unix (in the file: a list of strings)"),
]
TraceUrl = Annotated[
    str | None,
    AfterValidator(lambda text: text if text is None else check_web_url(text, _HEADER)),
    Form("URL", "a URL such as http://127.0.0.1:4318 without query"),
]
