"""Unpacks a package into a folder, and reads the plugin in it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

from endpointd.folders.folder import PluginFolder
from endpointd.folders.leftout import is_left_out
from endpointd.manifest.model import Plugin
from endpointd.manifest.reading import read_plugin
from endpointd.packages.checksum import identifier_of
from endpointd.packages.errors import PackageError
from endpointd.packages.keys import TrustedKey, signer
from endpointd.packages.limits import PackageLimits
from endpointd.packages.receiving import Received, file_sinks, receive


@dataclass(frozen=True, slots=True)
class Opened:
    plugin: Plugin
    received: Received

    @property
    def identifier(self) -> str:
        """Dify's unique identifier: author, name, version and checksum."""
        return identifier_of(self.plugin.identity, self.received.checksum)

    def as_dict(self) -> dict[str, object]:
        """The output of `--json`. `trusted`: the package was signed with a trusted key."""
        received = self.received
        return {
            "identifier": self.identifier,
            "plugin": self.plugin.id,
            "version": str(self.plugin.version),
            "checksum": received.checksum,
            "files": list(received.files),
            "size": received.size,
            "trusted": received.trust.fault is None,
            "signature": received.trust.as_dict(),
        }


def unpack_package(file: BinaryIO, folder: Path, limits: PackageLimits, keys: Sequence[TrustedKey]) -> Opened:
    """Put the files of the package into `folder`, which must be empty. Raises `PackageError` or `OSError`; the caller
    must then discard the folder."""

    def signer_of(text: bytes, signature: bytes) -> str | None:
        key = signer(keys, text, signature)
        return None if key is None else str(key.path)

    received = receive(file, limits, signer_of, file_sinks(folder, _is_part))
    reading = read_plugin(PluginFolder(folder))
    if reading.plugin is None:
        errors = "; ".join(str(finding) for finding in reading.errors)
        raise PackageError(
            "plugin_invalid", f"the plugin in the package cannot be served: {errors}", "mend it, and package it again"
        )
    return Opened(reading.plugin, received)


def look_into(file: BinaryIO, limits: PackageLimits, keys: Sequence[TrustedKey]) -> Opened:
    """As `unpack_package`, but the files are removed again."""
    with TemporaryDirectory(prefix="endpointd-") as folder:
        return unpack_package(file, Path(folder), limits, keys)


def _is_part(path: str) -> bool:
    """Whether this file is part of the plugin; if not, it is not unpacked."""
    return not any(is_left_out(part) for part in path.split("/"))
