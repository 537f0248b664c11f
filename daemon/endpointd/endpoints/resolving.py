"""Reads the values that a declarative file refers to: environment variables, and files with secrets."""

import os
import stat
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from endpointd.endpoints.declared import Declared, DeclaredFile, Reference
from endpointd.endpoints.values import LARGEST
from endpointd.manifest.findings import Finding, Severity, shown


class Unavailable(Exception):
    """A value cannot be read. `finding` is the code, the message, and the remedy."""

    def __init__(self, code: str, message: str, remedy: str) -> None:
        super().__init__(message)
        self.finding = (code, message, remedy)


def resolve(
    read: DeclaredFile, file: str, folder: Path, environment: Mapping[str, str]
) -> tuple[tuple[Declared, ...], tuple[Finding, ...]]:
    """The endpoints with all references replaced by values, and an error for each value that cannot be read, which is
    then null. Paths are relative to `folder`. No error contains a part of a value.
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
        for index, one in zip(read.places, read.endpoints, strict=True)
    )
    return endpoints, tuple(findings)


def _from_environment(name: str, environment: Mapping[str, str]) -> str:
    value = environment.get(name)
    if value is None:
        message = f"there is no environment variable {shown(name)}"
        raise Unavailable("variable_missing", message, "set it where this is applied")
    if any("\ud800" <= character <= "\udfff" for character in value):
        # Python represents bytes that are not UTF-8 by lone surrogates.
        message = f"the environment variable {shown(name)} is not UTF-8"
        raise Unavailable("reference_encoding", message, "set it to text")
    return value


def text_of_file(folder: Path, name: str, *, waits: bool = False) -> str:
    """The text of a file, without a final line break, which editors add. Raises `Unavailable`. A pipe or a device is
    only read with `waits`, because reading waits for its end."""
    try:
        data = read_at_most(LARGEST, folder / name, waits=waits)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is no file"
        remedy = "name one that can be read where this is applied"
        raise Unavailable("reference_unreadable", f"the file {shown(name)} cannot be read: {reason}", remedy) from None
    return text_of(data, f"the file {shown(name)}")


def text_of(data: bytes, what: str) -> str:
    """As `text_of_file`, for data that was already read; `what` names it in errors."""
    if len(data) > LARGEST:
        raise Unavailable("reference_too_large", f"{what} has more than {LARGEST} bytes", "give less")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise Unavailable("reference_encoding", f"{what} is not UTF-8", "save it as UTF-8") from None
    return text.removesuffix("\r\n") if text.endswith("\r\n") else text.removesuffix("\n")


def read_at_most(most: int, path: Path, *, waits: bool) -> bytes:
    """The file's content, but at most `most` + 1 bytes, so that the caller sees that there are too many. Raises
    OSError; ValueError if it is not a regular file, unless `waits`."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | (0 if waits else os.O_NONBLOCK))
    try:
        if not waits and not stat.S_ISREG(os.fstat(fd).st_mode):
            raise ValueError("no regular file")
        with open(fd, "rb", closefd=False) as file:
            return file.read(most + 1)
    finally:
        os.close(fd)
