"""Implements the commands about packages."""

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from endpointd.cli.output import print_json, report_warning, stdout, tell
from endpointd.cli.progress import waiting
from endpointd.errors import OperatorError, UsageError
from endpointd.humane import plural, size
from endpointd.manifest.findings import one_line
from endpointd.packages.checksum import identifier_of
from endpointd.packages.keys import make_keys, private_key, trusted_keys
from endpointd.packages.limits import PackageLimits
from endpointd.packages.making import make_package
from endpointd.packages.opening import Opened, look_into
from endpointd.packages.signing import sign_package
from endpointd.packages.trust import Trust

SUFFIX = ".difypkg"


def package(folder: Path, output: Path | None, limits: PackageLimits, *, json: bool) -> None:
    if not folder.is_dir():
        raise UsageError(
            "not_a_directory", f"{folder} is not a directory", "name the folder that holds the plugin's manifest.yaml"
        )
    with _new_file(output) as new:
        made = make_package(folder, new.file, limits)
        packed = new.file.tell()
        path = output if output is not None else Path(f"{made.plugin.name}-{made.plugin.version}{SUFFIX}")
        new.put(path)
    for finding in made.warnings:
        report_warning(one_line(str(finding)))
    identifier = identifier_of(made.plugin.identity, made.checksum)
    if json:
        print_json(
            {
                "package": str(path),
                "identifier": identifier,
                "checksum": made.checksum,
                "size": packed,
                "files": list(made.files),
                "left_out": list(made.left_out),
            }
        )
        return
    tell(one_line(f"{path}: {plural(len(made.files), 'file')}, {size(packed)}"))
    if made.left_out:
        tell(one_line(f"left out: {', '.join(made.left_out)}"))
    stdout().print(identifier, soft_wrap=True)


def keygen(stem: Path) -> None:
    try:
        private, public = waiting("making a key", lambda: make_keys(stem))
    except OSError as error:
        raise _unwritable(stem, error) from error
    tell(one_line(f"{private}: keep it secret; who has it can sign in your name"))
    tell(one_line(f"{public}: give it to those who are to trust your packages"))


def sign(package_file: Path, key: Path, category: str, output: Path | None, limits: PackageLimits) -> None:
    path = output if output is not None else package_file.with_name(f"{package_file.stem}.signed{SUFFIX}")
    secret = private_key(key)
    with _read(package_file) as source, _new_file(path) as new:
        signed = sign_package(source, new.file, secret, category, limits)
        new.put(path)
    tell(one_line(f"{path}: signed, checksum {signed.checksum}"))


def verify(package_file: Path, keys: Sequence[Path], limits: PackageLimits, *, json: bool) -> int:
    """Verify a package; returns the exit status: 0 only if it is intact and signed by one of the keys."""
    trusted = trusted_keys(keys)
    with _read(package_file) as source:
        found = look_into(source, limits, trusted)
    if json:
        print_json(found.as_dict())
    else:
        _tell(found)
    return 0 if found.received.trust.fault is None else 1


def _tell(found: Opened) -> None:
    received, trust = found.received, found.received.trust
    stdout().print(one_line(found.identifier), soft_wrap=True)
    stdout().print(f"{plural(len(received.files), 'file')}, {size(received.size)}", soft_wrap=True)
    fault = trust.fault
    stdout().print(one_line(_verdict(trust) if fault is None else f"{fault.message}; {fault.remedy}"), soft_wrap=True)


def _verdict(trust: Trust) -> str:
    names = "" if trust.covers_names else "; the names of its files are not signed"
    category = f" as {trust.category}" if trust.category else ""
    return f"signed{category} with the key {trust.signer}{names}"


@contextmanager
def _read(path: Path) -> Iterator[BinaryIO]:
    try:
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise UsageError(
            "package_unreadable", f"{path} cannot be read: {error.strerror}", "name a package, NAME.difypkg"
        ) from error


class _NewFile:
    """A file that is being written under a temporary name, until `put`."""

    def __init__(self, file: BinaryIO, temporary: Path) -> None:
        self.file = file
        self._temporary = temporary

    def put(self, path: Path) -> None:
        self.file.flush()
        self._temporary.chmod(0o644)
        self._temporary.replace(path)


@contextmanager
def _new_file(path: Path | None) -> Iterator[_NewFile]:
    """Create a temporary file beside `path` (by default in the current folder). It is removed at the end of the block
    unless `put` has given it its name."""
    place = path or Path("package")
    try:
        number, temporary = tempfile.mkstemp(prefix=".", suffix=".tmp", dir=place.parent)
        try:
            with os.fdopen(number, "w+b") as file:
                yield _NewFile(file, Path(temporary))
        finally:
            Path(temporary).unlink(missing_ok=True)
    except OSError as error:
        raise _unwritable(place, error) from error


def _unwritable(path: Path, error: OSError) -> OperatorError:
    return OperatorError("output_unwritable", f"{path} cannot be written: {error.strerror}", "name another place")
