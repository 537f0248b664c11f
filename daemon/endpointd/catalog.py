"""Which of the folders that were found are served, and why the others are not. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from endpointd.manifest.findings import Finding, Severity
from endpointd.manifest.model import Plugin


@dataclass(frozen=True, slots=True)
class Entry:
    """One folder of the plugins directory. `plugin` is None when it cannot be served; `findings` say why."""

    folder: str
    plugin: Plugin | None
    findings: tuple[Finding, ...]


def settle(entries: Iterable[Entry]) -> list[Entry]:
    """In the order of their folders' names; of several folders with one plugin, the first is served."""
    settled: list[Entry] = []
    owners: dict[str, str] = {}
    for entry in sorted(entries, key=lambda entry: entry.folder):
        if entry.plugin is not None:
            owner = owners.setdefault(entry.plugin.id, entry.folder)
            if owner != entry.folder:
                entry = _refuse(entry, entry.plugin, owner)
        settled.append(entry)
    return settled


def _refuse(entry: Entry, plugin: Plugin, owner: str) -> Entry:
    finding = Finding(
        severity=Severity.ERROR,
        code="plugin_duplicate",
        message=f"the folders {owner!r} and {entry.folder!r} both hold the plugin {plugin.id}",
        file="manifest.yaml",
        line=None,
        key="name",
        remedy=f"remove one of them; {owner!r} is served",
    )
    return replace(entry, plugin=None, findings=(*entry.findings, finding))
