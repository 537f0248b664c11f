"""Checks one plugin folder: first its files and then, if they are valid, whether its code can be loaded."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from endpointd.cli.caches import environments_cache, uv_cache
from endpointd.environments.declared import needs_of
from endpointd.environments.service import Environments, environments_of
from endpointd.errors import OperatorError, UsageError
from endpointd.folders.digest import content_digest
from endpointd.folders.included import included_in
from endpointd.folders.tree import FolderChanged
from endpointd.manifest.asynchronous import async_warnings
from endpointd.manifest.findings import Finding, Severity
from endpointd.manifest.model import Plugin
from endpointd.manifest.reading import read_plugin
from endpointd.plugins.loading import load_once
from endpointd.settings.settings import Settings


@dataclass(frozen=True, slots=True)
class Check:
    """The result. `plugin` is None if its files are not valid. Errors come first in `findings`."""

    plugin: Plugin | None
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether there are no errors, so that the plugin can be served."""
        return self.count(Severity.ERROR) == 0

    def count(self, severity: Severity) -> int:
        """How many findings have this severity."""
        return sum(finding.severity is severity for finding in self.findings)

    def as_dict(self) -> dict[str, object]:
        """For --json: {"plugin": identity or None, "ok": bool, "requires": [name of a setting], "findings": […],
        "interfaces": […]}.
        """
        interfaces = self.plugin.interfaces if self.plugin else ()
        return {
            "plugin": self.plugin.identity if self.plugin else None,
            "ok": self.ok,
            "requires": list(self.plugin.required_settings if self.plugin else ()),
            "findings": [finding.as_dict() for finding in self.findings],
            "interfaces": [
                {"method": one.method, "path": one.path, "source": one.source, "hidden": one.hidden}
                for one in interfaces
            ],
        }


def check_folder(folder: Path, output: Callable[[str], None]) -> Check:
    """Read the plugin in `folder` and load it once in a worker of its own. UsageError: it is not a directory.

    `output` gets each line that the plugin writes while it is loaded.
    """
    if not folder.is_dir():
        raise UsageError(
            "not_a_directory", f"{folder} is not a directory", "name the folder that holds the plugin's manifest.yaml"
        )
    files = included_in(folder)
    reading = read_plugin(files)
    findings = list(reading.findings)
    if reading.plugin is not None:
        findings += _load(folder, reading.plugin, output) or async_warnings(reading.plugin, files)
    # A stable sort: within a severity the findings stay in the order of the files.
    findings.sort(key=lambda finding: finding.severity is not Severity.ERROR)
    return Check(reading.plugin, tuple(findings))


def content_of(folder: Path) -> str:
    """The digest of the folder's content. Raises `OperatorError`."""
    try:
        return content_digest(folder)
    except FolderChanged as error:
        raise OperatorError("folder_changing", f"{folder} was changed while it was read", "try again") from error


def _load(folder: Path, plugin: Plugin, output: Callable[[str], None]) -> list[Finding]:
    """Load the plugin's code, in an environment of its own if it needs one."""
    needs, findings = needs_of(folder, plugin, content_of(folder))
    if findings:
        return list(findings)
    return load_once(folder, plugin, needs, _environments, output)


def _environments() -> Environments:
    settings = Settings.model_validate({"environments": environments_cache(), **uv_cache()})
    return environments_of(lambda: settings)
