"""Reads from the disk what a plugin's folder requires of its environment."""

import platform
from pathlib import Path

from endpointd.environments.needs import Needs, read_needs
from endpointd.folders.folder import PluginFolder
from endpointd.manifest.findings import Finding, Report
from endpointd.manifest.model import Plugin

MAX_FILE = 16 * 1024 * 1024
"""The largest size of a requirements file or a lock, in bytes. The lock of a plugin with a hundred packages has one
million."""


def needs_of(folder: Path, plugin: Plugin, content: str | None) -> tuple[Needs | None, tuple[Finding, ...]]:
    """The folder's requirements (None if there are none, or on errors), and the findings about them. `content` is the
    digest of the whole folder."""
    report = Report()
    needs = read_needs(
        PluginFolder(folder, MAX_FILE), plugin.runner_version, content, platform.python_version(), report
    )
    return needs, report.findings


def still_asks_for(needs: Needs, folder: Path) -> bool:
    """Whether the requirements in `folder` are still equal to `needs`. Always True if `needs` depends on the whole
    folder (`files` is empty); that is not checked again."""
    if not needs.files:
        return True
    now = read_needs(PluginFolder(folder, MAX_FILE), None, None, platform.python_version(), Report())
    return now is not None and now.digest == needs.digest
