"""Unpacks an archive or a package that is to be installed beside the plugins, and checks it. Blocking."""

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from endpointd.errors import OperatorError
from endpointd.folders.folder import PluginFolder
from endpointd.installing.staging import stage, unpack_archive
from endpointd.manifest.model import Plugin
from endpointd.manifest.reading import read_plugin
from endpointd.packages.errors import PackageError
from endpointd.packages.limits import PackageLimits
from endpointd.settings.settings import Settings


@dataclass(frozen=True, slots=True)
class Arrival:
    """A plugin that was unpacked. `path` is a hidden folder beside the plugins, to be moved to its place or removed. A
    package has an `identifier`, and a `signer` if a trusted key has signed it; `warnings` are for people."""

    path: Path
    plugin: Plugin
    identifier: str | None = None
    signer: str | None = None
    warnings: tuple[str, ...] = ()


def from_archive(archive: BinaryIO, plugins: Path, settings: Settings) -> Arrival:
    """Unpack a tar as written by `staging.pack`. Raises `OperatorError`, and leaves nothing behind then."""
    if settings.package_signatures == "require":
        raise PackageError(
            "package_untrusted",
            "a folder has no signature, and here (package_signatures) only signed packages are installed",
            "make a package of it with 'endpointd package', and sign it with 'endpointd sign'",
        )

    def fill(folder: Path) -> Plugin:
        unpack_archive(archive, folder)
        return _plugin_in(folder)

    return Arrival(*stage(plugins, fill))


def from_package(file: BinaryIO, plugins: Path, settings: Settings) -> Arrival:
    """Unpack a package. Raises `OperatorError`, and leaves nothing behind then."""
    # Imported only here, because the library for signatures is large and many daemons never need it.
    from endpointd.packages.keys import trusted_keys
    from endpointd.packages.opening import unpack_package
    from endpointd.packages.trust import enforce

    keys = [] if settings.package_signatures == "off" else trusted_keys(settings.package_keys)
    limits = PackageLimits(settings.limit_package)

    def fill(folder: Path) -> Arrival:
        opened = unpack_package(file, folder, limits, keys)
        trust = opened.received.trust
        warnings = enforce(settings.package_signatures, trust)
        return Arrival(folder, opened.plugin, opened.identifier, trust.signer, tuple(warnings))

    return stage(plugins, fill)[1]


def _plugin_in(folder: Path) -> Plugin:
    reading = read_plugin(PluginFolder(folder))
    if reading.plugin is None:
        errors = "; ".join(str(finding) for finding in reading.errors)
        raise OperatorError("plugin_invalid", f"the plugin cannot be served: {errors}", "mend it, and install it again")
    return reading.plugin
