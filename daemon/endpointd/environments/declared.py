"""What the plugin in a folder needs of its environment, read from the disk."""

import platform
from pathlib import Path

from endpointd.environments.needs import Needs, read_needs
from endpointd.folder import PluginFolder
from endpointd.manifest.findings import Finding, Report
from endpointd.manifest.model import Plugin

MAX_FILE = 16 * 1024 * 1024
"""Bytes of a requirements file or a lock. The lock of a plugin with a hundred packages has one million."""


def needs_of(folder: Path, plugin: Plugin, content: str | None) -> tuple[Needs | None, tuple[Finding, ...]]:
    """What the folder asks for, and what is wrong with how it does so; `content` stands for all of it."""
    report = Report()
    needs = read_needs(
        PluginFolder(folder, MAX_FILE), plugin.runner_version, content, platform.python_version(), report
    )
    return needs, report.findings


def still_asks_for(needs: Needs, folder: Path) -> bool:
    """Whether the files in `folder` are those that `needs` was read of. Where all of the folder counts, that is not
    looked at again."""
    if not needs.files:
        return True
    now = read_needs(PluginFolder(folder, MAX_FILE), None, None, platform.python_version(), Report())
    return now is not None and now.digest == needs.digest
