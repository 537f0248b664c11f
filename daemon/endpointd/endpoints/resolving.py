"""Fetching what a declarative file refers to: environment variables, and files with secrets."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from endpointd.endpoints.declared import Declared, DeclaredFile, Reference
from endpointd.endpoints.values import LARGEST
from endpointd.manifest.findings import Finding, Severity


class Unavailable(Exception):
    """A value could not be had; `finding` is the code, what is wrong, and what to do."""

    def __init__(self, code: str, message: str, remedy: str) -> None:
        super().__init__(message)
        self.finding = (code, message, remedy)


def resolve(
    read: DeclaredFile, file: str, folder: Path, environment: Mapping[str, str]
) -> tuple[tuple[Declared, ...], tuple[Finding, ...]]:
    """The endpoints with their values, and an error for each that could not be had; paths are relative to `folder`.

    No error has anything of a value in it.
    """
    findings: list[Finding] = []

    def fetch(value: object, key: str) -> object:
        if not isinstance(value, Reference):
            return value
        try:
            return (
                _from_environment(value.name, environment) if value.kind == "env" else text_of_file(folder, value.name)
            )
        except Unavailable as absent:
            code, message, remedy = absent.finding
            findings.append(Finding(Severity.ERROR, code, message, file, read.lines.get(key), key, remedy))
            return None

    endpoints = tuple(
        replace(
            one,
            settings={
                name: fetch(value, f"endpoints[{index}].settings.{name}") for name, value in one.settings.items()
            },
        )
        for index, one in enumerate(read.endpoints)
    )
    return endpoints, tuple(findings)


def _from_environment(name: str, environment: Mapping[str, str]) -> str:
    value = environment.get(name)
    if value is None:
        raise Unavailable(
            "variable_missing", f"there is no environment variable {name}", "set it where this is applied"
        )
    return value


def text_of_file(folder: Path, name: str) -> str:
    """The text of the file, without the line break that editors put behind the last line. Raises `Unavailable`."""
    try:
        with (folder / name).open("rb") as opened:
            data = opened.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is no path"
        remedy = "name one that can be read where this is applied"
        raise Unavailable("reference_unreadable", f"the file {name!r} cannot be read: {reason}", remedy) from None
    if len(data) > LARGEST:
        raise Unavailable("reference_too_large", f"the file {name!r} has more than {LARGEST} bytes", "name another one")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise Unavailable("reference_encoding", f"the file {name!r} is not UTF-8", "save it as UTF-8") from None
    return text.removesuffix("\n").removesuffix("\r")
