"""Decides which of the folders that were found are served, and plans the changes that are needed for that. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from endpointd.environments.needs import Needs
from endpointd.manifest.findings import Finding, Severity
from endpointd.manifest.model import Plugin


@dataclass(frozen=True, slots=True)
class Entry:
    """One folder of the plugins directory. `plugin` is None if it cannot be served; `findings` say why.

    `root` is the folder with the files that workers run (in general a release), `digest` identifies their content, and
    `needs` is what the plugin's environment must contain.
    """

    folder: str
    plugin: Plugin | None
    findings: tuple[Finding, ...]
    root: Path | None = None
    digest: str | None = None
    needs: Needs | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """A plugin that is served: its folder, and the digest of the content that was last taken in from it."""

    folder: str
    digest: str | None


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps from the plugins that are served to those that were found. `add`: new plugins; `change`: plugins with
    another content; `move`: plugins with the same content in another folder; `remove`: ids of plugins that are gone."""

    add: tuple[Entry, ...] = ()
    change: tuple[Entry, ...] = ()
    move: tuple[Entry, ...] = ()
    remove: tuple[str, ...] = ()


def settle(entries: Iterable[Entry], owners: Mapping[str, str]) -> list[Entry]:
    """The entries sorted by folder. If several folders contain the same plugin, only one of them stays valid: the one
    in `owners` (the folder of each plugin that is already served), else the first."""
    found = sorted(entries, key=lambda entry: entry.folder)
    chosen: dict[str, str] = {}
    for entry in found:
        if entry.plugin is not None:
            is_owner = owners.get(entry.plugin.id) == entry.folder
            if is_owner or entry.plugin.id not in chosen:
                chosen[entry.plugin.id] = entry.folder
    return [_refuse_if_second(entry, chosen) for entry in found]


def _refuse_if_second(entry: Entry, chosen: Mapping[str, str]) -> Entry:
    if entry.plugin is None or chosen[entry.plugin.id] == entry.folder:
        return entry
    owner = chosen[entry.plugin.id]
    finding = Finding(
        severity=Severity.ERROR,
        code="plugin_duplicate",
        message=f"the folders {owner!r} and {entry.folder!r} both hold the plugin {entry.plugin.id}",
        file="manifest.yaml",
        line=None,
        key="name",
        remedy=f"remove one of them; {owner!r} is served",
    )
    return replace(entry, plugin=None, findings=(*entry.findings, finding))


def plan(standing: Mapping[str, Standing], entries: Iterable[Entry]) -> Plan:
    """Plan the changes so that `entries` (as returned by `settle`) are served. `standing` are the plugins that are
    served now, by id.

    If a folder cannot be served any more, its plugin is not removed: the last good content continues to answer.
    """
    entries = list(entries)
    wanted = {entry.plugin.id: entry for entry in entries if entry.plugin is not None}
    broken = {entry.folder for entry in entries if entry.plugin is None}
    both = [(standing[name], entry) for name, entry in wanted.items() if name in standing]
    return Plan(
        add=tuple(entry for name, entry in wanted.items() if name not in standing),
        change=tuple(entry for before, entry in both if before.digest != entry.digest),
        move=tuple(entry for before, entry in both if before.digest == entry.digest and before.folder != entry.folder),
        remove=tuple(name for name, one in standing.items() if name not in wanted and one.folder not in broken),
    )
